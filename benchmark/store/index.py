"""List the outcome of every cell of a store quickly, by an index that may be removed any time.

Reading thousands of records takes many seconds, since the digest of each is checked. The index
keeps the outcome of each cell, and the names, sizes and times of the files that it was read from. A
cell whose files changed in any of these is read again, so the index never overrules a record.
Without an index, or with a damaged one, all records are read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hashbench.core.canonical import canonical_json, digest_bytes
from hashbench.core.errors import StoreError
from hashbench.core.files import write_atomically
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

MIN_CELLS = 500
"""The least number of cells for which an index is written; fewer are read within a second."""

_VERSION = 2
_COARSEST_CLOCK = 2_000_000_000  # nanoseconds: the coarsest time stamps of a file system

Files = dict[str, tuple[int, int, int]]
"""Size, modification time and time of status change (mtime, ctime) in nanoseconds, by name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a cell, as printed in a list of cells.

    Attributes:
        fit_id: Id of the cell.
        label: Its name; None without a fit.
        fitted: Whether there are codes.
        causes: The cause of each failure, one or more lines each.
    """

    fit_id: str
    label: str | None
    fitted: bool = False
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: CellResults) -> Outcome:
        """Summarise a cell's records."""
        if results.fit is None:
            return cls(results.fit_id, None)
        records = [results.fit, *results.failures]
        causes = [f"{r.kind} {r.status}: {r.error.message}" for r in records if r.error is not None]
        return cls(results.fit_id, str(results.fit.cell), results.fitted, tuple(causes))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An outcome, and the files that it was read from."""

    files: Files
    outcome: Outcome


_ENTRIES: TypeAdapter[dict[str, _Entry]] = TypeAdapter(dict[str, _Entry])


def index_file(store: Store) -> Path:
    """The file of a store's index; removing it only makes the next reading slower."""
    return store.root / ".work" / "index"


def read_outcomes(
    store: Store,
    *,
    read: Callable[[Store, str], CellResults] = read_cell,
) -> list[Outcome]:
    """List the outcome of every cell, sorted by fit id; reads only cells with changed files.

    Args:
        store: The store; the index is not updated if it cannot be written.
        read: Reads a cell's records.

    Raises:
        DamagedStoreError: If a record is damaged.
        StoreError: If the store cannot be read.
    """
    known, written_at = _read_index(store)
    entries: dict[str, _Entry] = {}
    for fit_id, files in sorted(_record_files(store).items()):
        entry = known.get(fit_id)
        if entry is None or entry.files != files or _too_recent(files, written_at):
            entry = _Entry(files, Outcome.of(read(store, fit_id)))
        entries[fit_id] = entry
    changed = entries.keys() != known.keys() or any(known[i] is not entries[i] for i in entries)
    if changed and len(entries) >= MIN_CELLS:
        with suppress(StoreError):
            write_atomically(index_file(store), _document(entries))
    return [entry.outcome for entry in entries.values()]


def _too_recent(files: Files, written_at: int) -> bool:
    """Whether a file's time is too recent to rule out an edit within the same clock tick.

    All times are the file system's own; clocks of several machines are not compared.
    """
    return max(changed for _, _, changed in files.values()) + _COARSEST_CLOCK >= written_at


def _record_files(store: Store) -> dict[str, Files]:
    """The files of the records of every cell with records."""
    found = {}
    try:
        with os.scandir(store.root) as folders:
            for folder in folders:
                if not folder.name.startswith(".") and folder.is_dir():
                    files = _files_in(folder.path)
                    if files:
                        found[folder.name] = files
    except OSError as error:
        raise StoreError(f"store: cannot read {store.root}: {error.strerror or error}") from None
    return found


def _files_in(folder: str) -> Files:
    found = {}
    with (
        suppress(FileNotFoundError),
        os.scandir(folder) as files,
    ):  # another process may move it away
        for file in files:
            if Store.names_record(file.name):
                about = file.stat(follow_symlinks=False)  # a link is no record
                found[file.name] = about.st_size, about.st_mtime_ns, about.st_ctime_ns
    return found


def _read_index(store: Store) -> tuple[Mapping[str, _Entry], int]:
    """The entries of the index and its time of writing; no entries if it cannot be read."""
    file = index_file(store)
    try:
        written_at = file.stat().st_mtime_ns
        head, _, cells = file.read_bytes().partition(b"\n")
        if head != _head(cells):
            return {}, 0
        return _ENTRIES.validate_json(cells), written_at
    except (OSError, ValidationError):
        return {}, 0


def _document(entries: Mapping[str, _Entry]) -> bytes:
    cells = canonical_json({fit_id: asdict(entry) for fit_id, entry in entries.items()})
    return _head(cells) + b"\n" + cells


def _head(cells: bytes) -> bytes:
    """The index's first line, by which damaged files and other versions are recognised."""
    return f"hashbench-index {_VERSION} {digest_bytes(cells)}".encode()
