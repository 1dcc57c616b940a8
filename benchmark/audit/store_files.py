"""List the files of a store by their kind; only names are read, not contents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hashbench.audit.left_out import NAME as LEFT_OUT
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.store.store import MARKER

FIT_ID = re.compile(r"[0-9a-f]{16}")
_WORK = ".work"
_AUXILIARY = (".leases", ".logs", ".collections")
# Files in .work that belong to no cell: those of a search service, and the index of records.
_OF_NO_CELL = ("serve.json", "serve.lock", "serve.token", "index")


@dataclass(slots=True)
class StoreFiles:
    """The files of a store.

    Attributes:
        records: Files that should be records.
        arrays: Files of arrays.
        temporary: Left-overs of killed processes.
        work: Checkpoints and logs of unfinished cells.
        auxiliary: Leases, logs of workers and other files that no record needs.
        strange: Files that are no part of a store.
    """

    records: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    work: list[Path] = field(default_factory=list)
    auxiliary: list[Path] = field(default_factory=list)
    strange: list[Path] = field(default_factory=list)


def sort_files(root: Path) -> StoreFiles:
    """Walk a store's folder; symbolic links are not followed.

    Anything in a record's place counts as a record, also a link or a folder; other links count as
    strange.
    """
    found = StoreFiles()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_symlink() or not path.is_dir() or _is_place_of_record(inside):
            _group(found, path, inside).append(path)
    known = (root / MARKER, root / LEFT_OUT)
    found.strange = [path for path in found.strange if path not in known or path.is_symlink()]
    return found


def _group(found: StoreFiles, path: Path, inside: Path) -> list[Path]:
    folder = inside.parts[:-1]
    if inside.name.startswith(TEMPORARY_PREFIX) or (folder and _is_temporary(folder[0])):
        return found.temporary
    if folder == (_WORK,) and inside.name in _OF_NO_CELL:
        return found.auxiliary
    if folder and folder[0] in (_WORK, *_AUXILIARY):
        return found.work if folder[0] == _WORK else found.auxiliary
    if _is_place_of_record(inside):
        return found.records
    is_array = inside.suffix == ".safetensors" and _is_in_cell(inside) and not path.is_symlink()
    return found.arrays if is_array else found.strange


def _is_place_of_record(inside: Path) -> bool:
    return inside.suffix == ".json" and _is_in_cell(inside)


def _is_in_cell(inside: Path) -> bool:
    """Whether a path is directly in the folder of a cell, and not hidden."""
    is_direct = len(inside.parts) == 2 and bool(FIT_ID.fullmatch(inside.parts[0]))  # noqa: PLR2004
    return is_direct and not inside.name.startswith(".")


def _is_temporary(folder: str) -> bool:
    return folder.startswith(TEMPORARY_PREFIX)
