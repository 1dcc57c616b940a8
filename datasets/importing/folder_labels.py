"""Labels from folders: every sub-folder is a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hashbench.core.errors import DataError
from hashbench.datasets.importing.labelled_files import LabelledFiles
from hashbench.datasets.labels import one_hot

_FEWEST = 2


def read_folders(there: Sequence[str]) -> LabelledFiles:
    """Take the first folder of each path as the image's class.

    Folders that all paths begin with are passed over, as archives often have one. Files beside the
    class folders have no class and are left out.

    Args:
        there: Paths of the image files, below the source, with forward slashes.

    Raises:
        DataError: If there are fewer than two classes.
    """
    inside, depth = _class_level(there)
    classes = sorted({_folder(name, depth) for name in inside})
    if len(classes) < _FEWEST:
        found = f"{classes[0]!r} alone" if classes else "no folder with images in it"
        raise DataError(
            f"labels: folders: expected a folder for each of at least two classes, found {found}; "
            f"name the folder above the class folders, or a file of labels"
        )
    number = {name: place for place, name in enumerate(classes)}
    names = sorted(inside)
    numbers = np.array([number[_folder(name, depth)] for name in names], dtype=np.int64)
    return LabelledFiles(
        names=tuple(names),
        labels=one_hot(numbers, len(classes)),
        classes=tuple(classes),
        unlisted=tuple(sorted(set(there) - set(inside))),
    )


def _class_level(names: Sequence[str]) -> tuple[list[str], int]:
    """Go down while there is only one folder; the paths below, and how deep that is."""
    depth = 0
    inside = [name for name in names if "/" in name]
    while len({_folder(name, depth) for name in inside}) == 1:
        deeper = [name for name in inside if name.count("/") > depth + 1]
        if not deeper:
            break
        inside, depth = deeper, depth + 1
    return inside, depth


def _folder(name: str, depth: int) -> str:
    return name.split("/")[depth]
