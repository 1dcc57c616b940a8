"""Where a user's data are: the data root named, that of ``HASHBENCH_DATA``, and what was imported.

An imported dataset is the folder ``imported/NAME`` below a data root; a matrix calls it
``imported/NAME`` too.
"""

from __future__ import annotations

import os
from pathlib import Path

DATA_ROOT_VARIABLE = "HASHBENCH_DATA"
IMPORTED = "imported"
DESCRIPTION = "dataset.json"

_SHAPES = frozenset({"folder", "list", "csv"})

_named: list[Path] = []


def data_root(root: Path | None) -> Path | None:
    """The user's data root: the one named, else that of ``HASHBENCH_DATA``, else None."""
    variable = os.environ.get(DATA_ROOT_VARIABLE)
    return root or (Path(variable) if variable else None)


def look_in(root: Path | None) -> None:
    """Have imported datasets of a root found by name, before those of roots named earlier.

    A matrix or a job may name a root; the process remembers it, as it does a plugin.

    Args:
        root: A data root; None does nothing.
    """
    if root is not None and root.absolute() not in _named[:1]:
        _named.insert(0, root.absolute())


def imported_folders() -> dict[str, Path]:
    """The folder of every imported dataset, by name.

    Roots named are searched first, the last one named before the others, then that of
    ``HASHBENCH_DATA``; of two datasets with one name the first found counts.
    """
    usual = data_root(None)
    folders: dict[str, Path] = {}
    for root in (*_named, *([usual] if usual else [])):
        for description in sorted((root / IMPORTED).glob(f"[!.]*/{DESCRIPTION}")):
            folders.setdefault(description.parent.name, description.parent)
    return folders


def imported_hint(name: str) -> str:
    """What to add to the message that no dataset has a name: how images of one's own are named.

    Args:
        name: What was asked for.

    Returns:
        A sentence after a space; empty where the name is no sign that own images are meant.
    """
    if name in imported_folders():
        return f" Did you mean '{IMPORTED}/{name}'?"
    if name in _SHAPES:
        return (
            f" A folder, list or CSV file of your own is imported once, with `hashbench data "
            f"import`, and is then '{IMPORTED}/NAME'."
        )
    return ""
