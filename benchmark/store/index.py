"""What became of every cell of a store, quickly: an index that may be thrown away at any time.

Reading thousands of records takes many seconds: each is checked against its seal. The index says in
a line a cell what was found, and of which files: their names, sizes and times. Whatever does not
look as it did is read again, so the index is never believed against a record; without it, or with a
damaged one, everything is.
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

WORTH_REMEMBERING = 500
"""Cells from which an index is written: fewer are read in less than a second."""

_VERSION = 2
_COARSEST_CLOCK = 2_000_000_000  # nanoseconds by which a file system may tell times apart

Files = dict[str, tuple[int, int, int]]
"""Size, time of the last change, and time of the last change of what is known of it; by name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell, as a list of cells tells it.

    Attributes:
        fit_id: The cell.
        label: What it is; None where there is no fit, and so nothing to tell.
        fitted: Whether there are codes.
        causes: Why what failed did, a line or more each.
    """

    fit_id: str
    label: str | None
    fitted: bool = False
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, results: CellResults) -> Outcome:
        """Sum up a cell's records."""
        if results.fit is None:
            return cls(results.fit_id, None)
        records = [results.fit, *results.failures]
        causes = [f"{r.kind} {r.status}: {r.error.message}" for r in records if r.error is not None]
        return cls(results.fit_id, str(results.fit.cell), results.fitted, tuple(causes))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An outcome, and the files it was read from."""

    files: Files
    outcome: Outcome


_ENTRIES: TypeAdapter[dict[str, _Entry]] = TypeAdapter(dict[str, _Entry])


def index_file(store: Store) -> Path:
    """Where a store's index is; removing it changes nothing but the time of the next look."""
    return store.root / ".work" / "index"


def read_outcomes(
    store: Store,
    *,
    read: Callable[[Store, str], CellResults] = read_cell,
) -> list[Outcome]:
    """What became of every cell, sorted by fit id; reads what is new and remembers it.

    Args:
        store: The store; where it cannot be written, nothing is remembered.
        read: Reads a cell's records.

    Raises:
        DamagedStoreError: If a record is damaged.
        StoreError: If the store cannot be read.
    """
    known, written_at = _remembered(store)
    entries: dict[str, _Entry] = {}
    for fit_id, files in sorted(_record_files(store).items()):
        entry = known.get(fit_id)
        if entry is None or entry.files != files or _too_fresh(files, written_at):
            entry = _Entry(files, Outcome.of(read(store, fit_id)))
        entries[fit_id] = entry
    changed = entries.keys() != known.keys() or any(known[i] is not entries[i] for i in entries)
    if changed and len(entries) >= WORTH_REMEMBERING:
        with suppress(StoreError):
            write_atomically(index_file(store), _document(entries))
    return [entry.outcome for entry in entries.values()]


def _too_fresh(files: Files, written_at: int) -> bool:
    """Whether a file may have changed after it was read without looking it.

    All times are the file system's own: no clocks of several machines are compared.
    """
    return max(changed for _, _, changed in files.values()) + _COARSEST_CLOCK >= written_at


def _record_files(store: Store) -> dict[str, Files]:
    """The files of the records of every cell that has any."""
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
    with suppress(FileNotFoundError), os.scandir(folder) as files:  # it may be moved away just now
        for file in files:
            if Store.names_record(file.name):
                about = file.stat()
                found[file.name] = about.st_size, about.st_mtime_ns, about.st_ctime_ns
    return found


def _remembered(store: Store) -> tuple[Mapping[str, _Entry], int]:
    """The entries of the index, and when it was written; none where it is no index of ours."""
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
    """The index's first line; it tells a damaged file, and one of another version."""
    return f"hashbench-index {_VERSION} {digest_bytes(cells)}".encode()
