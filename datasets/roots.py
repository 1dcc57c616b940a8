"""The user's data roots, and the imported datasets below them.

An imported dataset is the folder ``imported/NAME`` below a data root, and has that name in a matrix
too.
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
    """Return the user's data root: the given one, else that of ``HASHBENCH_DATA``, else None."""
    variable = os.environ.get(DATA_ROOT_VARIABLE)
    return root or (Path(variable) if variable else None)


def look_in(root: Path | None) -> None:
    """Search a data root for imported datasets from now on, before all other roots.

    A matrix or a job may name a root; the process remembers it, as it does a plugin.

    Args:
        root: A data root; None does nothing.
    """
    if root is not None and root.absolute() not in _named[:1]:
        _named.insert(0, root.absolute())


def imported_folders() -> dict[str, Path]:
    """Return the folder of every imported dataset, by name.

    The roots given to `look_in` are searched first, the latest before the others, then that of
    ``HASHBENCH_DATA``; of two datasets with one name the first found counts.
    """
    usual = data_root(None)
    folders: dict[str, Path] = {}
    for root in (*_named, *([usual] if usual else [])):
        for description in sorted((root / IMPORTED).glob(f"[!.]*/{DESCRIPTION}")):
            folders.setdefault(description.parent.name, description.parent)
    return folders


def imported_hint(name: str) -> str:
    """Return a hint for an unknown dataset name that may refer to the user's own images.

    Args:
        name: The unknown name.

    Returns:
        A space and a sentence; empty if the name does not suggest the user's own images.
    """
    if name in imported_folders():
        return f" Did you mean '{IMPORTED}/{name}'?"
    if name in _SHAPES:
        return (
            f" A folder, list or CSV file of your own is imported once, with `hashbench data "
            f"import`, and is then '{IMPORTED}/NAME'."
        )
    return ""
