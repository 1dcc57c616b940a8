"""Image lists as the field publishes them: a path and its labels on each line.

``path 0 1 0 ...`` states for every class whether the image has it; ``path 3`` gives the number of
its only class. The labels are the integers at the end of a line, so a path may contain spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.files import write_atomically

_MOST_CLASSES = 65_536
_MOST_DIGITS = 9
_MOST_CELLS = 2**32
_FEWEST_COLUMNS = 2
_MARK = "\ufeff"  # the byte order mark, which some editors write before the text


@dataclass(frozen=True, slots=True, eq=False)
class ImageList:
    """The lines of a list.

    Attributes:
        names: Paths as written, all different.
        labels: uint8 (N, classes), multi-hot; of a list of class numbers, up to the largest.
        numbered: Whether the lines give class numbers.
    """

    names: tuple[str, ...]
    labels: NDArray[np.uint8]
    numbered: bool

    def __len__(self) -> int:
        return len(self.names)


def read_list(path: Path) -> ImageList:
    """Read a list.

    Args:
        path: A text file in UTF-8; empty lines are skipped.

    Raises:
        DataError: With file and line, if the file cannot be read, has no line, or a line has no
            path or no label, another number of labels than the first, a label that is neither 0
            nor 1, or the path of an earlier line.
    """
    first_at: dict[str, int] = {}
    rows: list[NDArray[np.uint8] | int] = []
    width = 0
    for number, line in _lines(path):
        where = f"{path}:{number}"
        name, labels = _split(line, where)
        width = width or len(labels)
        if len(labels) != width:
            raise DataError(
                f"{where}: expected {width} labels as in the first line, found {len(labels)}"
            )
        if name in first_at:
            first = first_at[name]
            raise DataError(f"{where}: {name[:200]!r} is repeated, first in line {first}")
        first_at[name] = number
        rows.append(_number(labels[0], where) if width == 1 else _row(labels, where))
    if not rows:
        raise DataError(f"{path}: expected lines of a path and its labels, found none")
    return ImageList(tuple(first_at), _table(rows, path), width == 1)


def write_list(path: Path, content: ImageList) -> None:
    """Write a list that `read_list` reads back unchanged.

    Args:
        path: The file to write.
        content: The lines; with ``numbered``, each row must have exactly one 1.

    Raises:
        DataError: If a path could not be read back: it is empty, begins or ends with a space, ends
            with a number after a space or contains a line break; if a row of a numbered list has
            no or several labels; or if a list that is not numbered has a single label column.
        StoreError: If the file cannot be written.
    """
    for name in content.names:
        if not _can_be_read_back(name):
            raise DataError(f"{path}: a list cannot hold the path {name!r}; rename the file")
    if content.numbered and (content.labels.sum(axis=1) != 1).any():
        raise DataError(f"{path}: a list of class numbers needs exactly one label an image")
    if not content.numbered and content.labels.shape[1] < _FEWEST_COLUMNS:
        raise DataError(f"{path}: a column of a single class would be read as class numbers")
    rows = content.labels.argmax(axis=1)[:, None] if content.numbered else content.labels
    lines = (
        f"{name} {' '.join(map(str, row.tolist()))}\n"
        for name, row in zip(content.names, rows, strict=True)
    )
    write_atomically(path, "".join(lines).encode("utf-8"))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        # Bytes that are no text are let through here, to be reported with their line.
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                if not is_text(line):
                    raise DataError(f"{path}:{number}: expected text in UTF-8, found other bytes")
                if line.strip():
                    yield number, line.strip()
    except OSError as error:
        raise DataError(f"{path}: the list cannot be read: {error.strerror}") from None


def _split(line: str, where: str) -> tuple[str, list[str]]:
    words = line.split()
    first = len(words)
    while first and _is_number(words[first - 1]):
        first -= 1
    labels = words[first:]
    if not labels or not first:
        raise DataError(f"{where}: expected a path and its labels, found {line[:80]!r}")
    # A path stays as written, including double spaces.
    return line.rsplit(maxsplit=len(labels))[0], labels


def _is_number(word: str) -> bool:
    return word.isascii() and (word.isdigit() or (word.startswith("-") and word[1:].isdigit()))


def _can_be_read_back(name: str) -> bool:
    words = name.split()
    whole = name == name.strip() and len(name.splitlines()) == 1 and name[:1] != _MARK
    return bool(words) and whole and not _is_number(words[-1]) and is_text(name)


def is_text(words: str) -> bool:
    """Whether a text can be written in UTF-8, which undecodable bytes in it cannot."""
    try:
        words.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _number(word: str, where: str) -> int:
    if len(word) > _MOST_DIGITS or not 0 <= int(word) < _MOST_CLASSES:
        raise DataError(
            f"{where}: expected a class from 0 to {_MOST_CLASSES - 1}, found {word[:20]}"
        )
    return int(word)


def _row(words: list[str], where: str) -> NDArray[np.uint8]:
    wrong = set(words) - {"0", "1"}
    if wrong:
        raise DataError(f"{where}: expected labels 0 or 1, found {min(wrong)[:20]}")
    return np.array(words, dtype=np.uint8)


def _table(rows: list[NDArray[np.uint8] | int], path: Path) -> NDArray[np.uint8]:
    if not isinstance(rows[0], int):
        return np.stack(rows)
    numbers = np.array(rows, dtype=np.int64)
    width = int(numbers.max()) + 1
    if len(numbers) * width > _MOST_CELLS:
        raise DataError(f"{path}: {width} classes for {len(numbers)} images need too much memory")
    table = np.zeros((len(numbers), width), dtype=np.uint8)
    table[np.arange(len(numbers)), numbers] = 1
    return table
