"""What the labels of a folder of images say, before any image is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.reading.list_file import ImageList


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFiles:
    """Image files of a source, with their labels.

    Attributes:
        names: Paths in the source, sorted, all different.
        labels: uint8 (N, classes), multi-hot.
        classes: Class names, in column order.
        unlisted: Image files of the source that the labels do not name; left out.
        missing: Names in the labels that the source does not have.
        roles: Rising positions in ``names`` of ``train``, ``query`` and ``database``, where lists
            give them.
    """

    names: tuple[str, ...]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    unlisted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    roles: Mapping[str, NDArray[np.int64]] | None = None


def match_names(listed: Sequence[str], there: Sequence[str]) -> dict[str, str]:
    """Find the files that a list means.

    Lists name files as their authors had them, often below a folder that others do not have. So
    leading folders of a listed name are dropped until a file of that name is there.

    Args:
        listed: Names in a list.
        there: Paths of the source's files.

    Returns:
        The file of every listed name that has one.
    """
    known = set(there)
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
    there: Sequence[str],
    *,
    classes: Sequence[str] | None,
    with_roles: bool,
) -> LabelledFiles:
    """Bring the lists of a protocol together, or a single list of all images.

    Args:
        lists: By role, or by any name.
        there: Paths of the source's image files.
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
        files = match_names(content.names, there)
        _refuse_two_for_one(role, files)
        missing.update(dict.fromkeys(name for name in content.names if name not in files))
        labels = np.zeros((len(content), len(classes)), dtype=np.uint8)
        labels[:, : content.labels.shape[1]] = content.labels
        for name, row in zip(content.names, labels, strict=True):
            if name in files and rows.setdefault(files[name], row.tobytes()) != row.tobytes():
                raise DataError(f"labels: two lists give {name!r} different labels")
        members[role] = list(files.values())
    if not rows:
        raise _none_there(missing)
    names = tuple(sorted(rows))
    position = {name: place for place, name in enumerate(names)}
    return LabelledFiles(
        names=names,
        labels=np.frombuffer(b"".join(rows[name] for name in names), dtype=np.uint8).reshape(
            len(names), len(classes)
        ),
        classes=classes,
        unlisted=tuple(sorted(set(there) - set(rows))),
        missing=tuple(missing),
        roles={
            role: np.sort(np.array([position[name] for name in found], dtype=np.int64))
            for role, found in members.items()
        }
        if with_roles
        else None,
    )


def _none_there(missing: Mapping[str, None]) -> DataError:
    return DataError(
        f"labels: none of the {len(missing)} listed images is there (first: "
        f"{next(iter(missing))!r}); name the folder that their paths begin in"
    )


def _numbered(lists: Mapping[str, ImageList]) -> bool:
    return all(content.numbered for content in lists.values())


def _width(lists: Mapping[str, ImageList]) -> int:
    widths: dict[str, int] = {role: content.labels.shape[1] for role, content in lists.items()}
    kinds = {content.numbered for content in lists.values()}
    if len(kinds) > 1 or (len(set(widths.values())) > 1 and not _numbered(lists)):
        found = ", ".join(f"{role} {width}" for role, width in widths.items())
        raise DataError(f"labels: expected as many labels a line in every list, found {found}")
    return max(widths.values())


def _refuse_two_for_one(role: str, files: Mapping[str, str]) -> None:
    listed: dict[str, str] = {}
    for name, file in files.items():
        if listed.setdefault(file, name) != name:
            raise DataError(
                f"labels: {role}: {listed[file]!r} and {name!r} both mean the file {file!r}"
            )
