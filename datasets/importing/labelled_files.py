"""Labels of image files, from class folders or from lists, read before any image is decoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.labels import one_hot
from hashbench.datasets.reading.list_file import ImageList

_FEWEST_CLASSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFiles:
    """Image files of a source, with their labels.

    Attributes:
        names: Paths in the source, sorted, all different.
        labels: uint8 (N, classes), multi-hot.
        classes: Class names, in column order.
        unlisted: Image files of the source that the labels do not name; left out.
        missing: Names in the labels that the source does not have.
        roles: Rising positions in ``names`` of ``train``, ``query`` and ``database``, if lists
            give them.
        notes: How the labels were read, where that is not as usual.
    """

    names: tuple[str, ...]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    unlisted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    roles: Mapping[str, NDArray[np.int64]] | None = None
    notes: tuple[str, ...] = ()

    def keep(self, positions: NDArray[np.int64]) -> Self:
        """Keep the files at some rising positions only."""
        roles = {
            role: np.flatnonzero(np.isin(positions, listed)).astype(np.int64)
            for role, listed in (self.roles or {}).items()
        }
        return replace(
            self,
            names=tuple(self.names[position] for position in positions),
            labels=np.ascontiguousarray(self.labels[positions]),
            roles=roles or None,
        )


def read_folders(files: Sequence[str]) -> LabelledFiles:
    """Take the first folder of each path as the image's class.

    Folders with which all paths begin are skipped, since archives often have one. Files beside the
    class folders have no class and are left out.

    Raises:
        DataError: If there are fewer than two classes.
    """
    inside, depth = _class_level(files)
    classes = sorted({_folder(name, depth) for name in inside})
    if len(classes) < _FEWEST_CLASSES:
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
        unlisted=tuple(sorted(set(files) - set(inside))),
    )


def _class_level(files: Sequence[str]) -> tuple[list[str], int]:
    """Descend while there is only one folder; return the paths below it, and their depth."""
    depth = 0
    inside = [name for name in files if "/" in name]
    while len({_folder(name, depth) for name in inside}) == 1:
        deeper = [name for name in inside if name.count("/") > depth + 1]
        if not deeper:
            break
        inside, depth = deeper, depth + 1
    return inside, depth


def _folder(name: str, depth: int) -> str:
    return name.split("/")[depth]


def match_names(listed: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Find the file of each listed name.

    Lists name files by their authors' paths, often below a folder that others do not have. So
    leading folders of a listed name are dropped until a file has that name.

    Returns:
        The file of every listed name that has one.
    """
    known = set(files)
    found = {}
    for name in listed:
        rest = name.replace("\\", "/") if name not in known else name
        while rest and rest not in known:
            rest = rest.partition("/")[2]
        if rest:
            found[name] = rest
    return found


def combine_lists(
    lists: Mapping[str, ImageList],
    files: Sequence[str],
    *,
    classes: Sequence[str] | None,
    with_roles: bool,
) -> LabelledFiles:
    """Combine the lists of a protocol, or a single list of all images.

    Args:
        lists: By role, or by any name.
        files: Paths of the source's image files.
        classes: Class names; None takes the numbers of the columns.
        with_roles: Whether the keys of ``lists`` are roles to keep.

    Raises:
        DataError: If two lists give one image different labels, some are numbered and others not,
            two listed names mean one file, or the number of class names is wrong.
    """
    width = _width(lists)
    classes = tuple(classes) if classes else tuple(map(str, range(width)))
    if len(classes) < width or (len(classes) > width and not _numbered(lists)):
        raise DataError(f"labels: expected names of {width} classes, found {len(classes)}")
    rows: dict[str, bytes] = {}
    members: dict[str, list[str]] = {}
    missing: dict[str, None] = {}
    for role, content in lists.items():
        found = match_names(content.names, files)
        refuse_two_for_one(f"labels: {role}", found)
        missing.update(dict.fromkeys(name for name in content.names if name not in found))
        labels = np.zeros((len(content), len(classes)), dtype=np.uint8)
        labels[:, : content.labels.shape[1]] = content.labels
        for name, row in zip(content.names, labels, strict=True):
            if name in found and rows.setdefault(found[name], row.tobytes()) != row.tobytes():
                raise DataError(f"labels: two lists give {name!r} different labels")
        members[role] = list(found.values())
    if not rows:
        raise none_match("labels", tuple(missing), files)
    names = tuple(sorted(rows))
    position = {name: place for place, name in enumerate(names)}
    return LabelledFiles(
        names=names,
        labels=np.frombuffer(b"".join(rows[name] for name in names), dtype=np.uint8).reshape(
            len(names), len(classes)
        ),
        classes=classes,
        unlisted=tuple(sorted(set(files) - set(rows))),
        missing=tuple(missing),
        roles={
            role: np.sort(np.array([position[name] for name in listed], dtype=np.int64))
            for role, listed in members.items()
        }
        if with_roles
        else None,
    )


def none_match(where: str, listed: Sequence[str], files: Sequence[str]) -> DataError:
    """Return the error that none of the listed images exists in the source."""
    first = f" (first: {listed[0]!r})" if listed else ""
    advice = near_miss(listed[0], files) if listed else ""
    return DataError(
        f"{where}: none of {len(listed)} listed images exists in the source{first}; "
        f"{advice or 'name the folder in which their paths begin'}"
    )


def near_miss(name: str, files: Sequence[str]) -> str:
    """Return advice if a file differs from a listed name only in blanks, case or Unicode form."""
    nearly = {_folded(file): file for file in files}
    found = match_names([_folded(name)], tuple(nearly)).get(_folded(name))
    if found is None:
        return ""
    return (
        f"the file {nearly[found]!r} differs from it only in blanks, letter case or Unicode form; "
        f"write the names as the files have them"
    )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _numbered(lists: Mapping[str, ImageList]) -> bool:
    return all(content.numbered for content in lists.values())


def _width(lists: Mapping[str, ImageList]) -> int:
    numbered = [role for role, content in lists.items() if content.numbered]
    columns = [role for role, content in lists.items() if not content.numbered]
    if numbered and columns:
        raise DataError(
            f"labels: expected one form in every list, found class numbers ('path 3') in "
            f"{', '.join(numbered)} and a column a class ('path 0 1 0') in {', '.join(columns)}"
        )
    widths: dict[str, int] = {role: content.labels.shape[1] for role, content in lists.items()}
    if columns and len(set(widths.values())) > 1:
        found = ", ".join(f"{role} {width}" for role, width in widths.items())
        raise DataError(f"labels: expected as many labels a line in every list, found {found}")
    return max(widths.values())


def refuse_two_for_one(where: str, files: Mapping[str, str]) -> None:
    """Refuse two listed names of one file, by the file of each name.

    Raises:
        DataError: If there are such names.
    """
    listed: dict[str, str] = {}
    for name, file in files.items():
        if listed.setdefault(file, name) != name:
            raise DataError(f"{where}: {listed[file]!r} and {name!r} both mean the file {file!r}")
