"""Every file of a store, sorted by what it is; names are read, contents are not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hashbench.audit.left_out import NAME as LEFT_OUT
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.store.store import MARKER

FIT_ID = re.compile(r"[0-9a-f]{16}")
_WORK = ".work"
_ASIDE = (".leases", ".logs", ".collections")
# In .work, of no cell: where a search worker is, and what was read of the records.
_OF_THE_STORE = ("serve.json", "serve.lock", "serve.token", "index")


@dataclass(slots=True)
class Shelves:
    """Files of a store, as paths.

    Attributes:
        records: Files that ought to be records.
        arrays: Files of arrays.
        temporary: What a killed process left behind.
        work: Files of unfinished cells: checkpoints and logs.
        aside: Who does or did which cell, and what was printed then; no record needs them.
        strange: Files that no store has.
    """

    records: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    work: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    strange: list[Path] = field(default_factory=list)


def sort_files(root: Path) -> Shelves:
    """Walk a store; symbolic links are strange, and not followed.

    Args:
        root: Its folder.
    """
    found = Shelves()
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            _shelf(found, path, path.relative_to(root)).append(path)
    known = (root / MARKER, root / LEFT_OUT)
    found.strange = [path for path in found.strange if path not in known or path.is_symlink()]
    return found


def _shelf(found: Shelves, path: Path, inside: Path) -> list[Path]:
    folder = inside.parts[:-1]
    if inside.name.startswith(TEMPORARY_PREFIX) or (folder and _is_temporary(folder[0])):
        return found.temporary
    if folder == (_WORK,) and inside.name in _OF_THE_STORE:
        return found.aside
    if folder and folder[0] in (_WORK, *_ASIDE):
        return found.work if folder[0] == _WORK else found.aside
    hidden = inside.name.startswith(".")
    if path.is_symlink() or hidden or len(folder) != 1 or not FIT_ID.fullmatch(folder[0]):
        return found.strange
    shelves = {".json": found.records, ".safetensors": found.arrays}
    return shelves.get(inside.suffix, found.strange)


def _is_temporary(folder: str) -> bool:
    return folder.startswith(TEMPORARY_PREFIX)
