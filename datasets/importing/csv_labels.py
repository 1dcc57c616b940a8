"""Labels from a CSV file: a column of paths, and a column of labels or one column a class.

Cells are separated by commas, semicolons or tabs, whichever the header line uses.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hashbench.core.errors import DataError, did_you_mean
from hashbench.datasets.importing.labelled_files import (
    LabelledFiles,
    match_names,
    none_match,
    refuse_two_for_one,
)
from hashbench.datasets.reading.list_file import is_text

_LONGEST_CELL = 1 << 20
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MISSING = frozenset({"", "nan", "<na>"})  # how pandas writes a missing value, in lower case


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns of a table.

    Attributes:
        path: The column of paths.
        label: The column of labels. If the table has none of that name, every other column must
            contain 0 or 1 and is a class.
        separator: The text between labels of one image in the column of labels.
    """

    path: str = "path"
    label: str = "label"
    separator: str = ";"


def read_table(path: Path, files: Sequence[str], *, columns: TableColumns) -> LabelledFiles:
    """Read a CSV file with a header line.

    A path may be in several lines, one for each of its labels. With an empty label, or pandas'
    ``nan`` or ``<NA>``, the image has none. Classes are in alphabetical order, or in that of their
    columns.

    The text is UTF-8, or UTF-16 with a byte order mark; ``files`` are the source's image files.

    Raises:
        DataError: With file and line, if it cannot be read, a column is missing, a line is too
            short or long, a class column contains anything else than 0 and 1, two paths mean one
            file, or none of its images exists.
    """
    found, wide, notes = _read(path, columns)
    matched = match_names(tuple(found), files)
    if not matched:
        raise none_match(str(path), tuple(found), files)
    refuse_two_for_one(str(path), matched)
    of_file = {file: found[name] for name, file in matched.items()}
    names = sorted(of_file)
    classes = wide or sorted(set().union(*found.values()))
    if not classes:
        raise DataError(f"{path}: expected labels in the column '{columns.label}', found none")
    place = {name: column for column, name in enumerate(classes)}
    table = np.zeros((len(names), len(classes)), dtype=np.uint8)
    for row, name in enumerate(names):
        table[row, [place[label] for label in of_file[name]]] = 1
    return LabelledFiles(
        names=tuple(names),
        labels=table,
        classes=tuple(classes),
        unlisted=tuple(sorted(set(files) - set(names))),
        missing=tuple(name for name in found if name not in matched),
        notes=notes,
    )


def _read(
    path: Path, columns: TableColumns
) -> tuple[dict[str, set[str]], list[str], tuple[str, ...]]:
    """Read the labels of each path, the class columns, and notes about the format.

    There are no class columns if one column has the labels.
    """
    found: dict[str, set[str]] = {}
    try:
        encoding = _encoding(path)
        # Bytes that are no text are let through here, to be reported with their line.
        text = path.open(encoding=encoding, errors="surrogateescape", newline="")
        with text as file, _cells_up_to(_LONGEST_CELL):
            delimiter = _delimiter(file.readline(), columns)
            file.seek(0)
            lines = csv.reader(file, strict=True, delimiter=delimiter)
            header = next(lines, [])
            _check_header(header, path, columns)
            wide = [] if columns.label in header else [h for h in header if h != columns.path]
            for cells in filter(None, lines):
                where = f"{path}:{lines.line_num}"
                row = _row(header, cells, where)
                labels = _wide(row, wide, where) if wide else _listed(row, columns)
                found.setdefault(row[columns.path], set()).update(labels)
    except OSError as error:
        raise DataError(f"{path}: the table cannot be read: {error.strerror}") from None
    except UnicodeError as error:
        raise DataError(f"{path}: expected text in UTF-16, found other bytes: {error}") from None
    except csv.Error as error:
        raise DataError(f"{path}:{lines.line_num}: not a line of a CSV file: {error}") from None
    notes = (
        *([f"table: cells separated by {_DELIMITERS[delimiter]}"] if delimiter != "," else []),
        *(["table: text in UTF-16"] if encoding == "utf-16" else []),
    )
    return found, wide, notes


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        mark = file.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _delimiter(header: str, columns: TableColumns) -> str:
    """Return the delimiter that makes the column of paths a cell of its own; else a comma."""
    for delimiter in _DELIMITERS:
        if columns.path in next(csv.reader([header], delimiter=delimiter), []):
            return delimiter
    return ","


@contextmanager
def _cells_up_to(length: int) -> Iterator[None]:
    """Raise the csv module's limit on cells, which is the whole process's, for a while."""
    usual = csv.field_size_limit(length)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _row(header: list[str], cells: list[str], where: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise DataError(f"{where}: expected {len(header)} cells, found {len(cells)}")
    if not is_text("".join(cells)):
        raise DataError(f"{where}: expected text in UTF-8, found other bytes")
    return dict(zip(header, cells, strict=True))


def _check_header(header: list[str], path: Path, columns: TableColumns) -> None:
    if columns.path not in header:
        raise DataError(
            f"{path}:1: expected a column '{columns.path}' of paths. "
            f"{did_you_mean(columns.path, header)} Name it with --path-column"
        )
    if len(set(header)) < len(header):
        raise DataError(f"{path}:1: expected columns of different names, found one twice")
    if len(header) == 1:
        raise DataError(f"{path}:1: expected a column '{columns.label}' of labels, found none")


def _listed(row: dict[str, str], columns: TableColumns) -> set[str]:
    words = (word.strip() for word in row[columns.label].split(columns.separator))
    return {word for word in words if word.lower() not in _MISSING}


def _wide(row: dict[str, str], classes: list[str], where: str) -> set[str]:
    for name in classes:
        if row[name] not in ("0", "1"):
            raise DataError(
                f"{where}: column {name!r}: expected 0 or 1, found {row[name][:20]!r}; name the "
                f"column of labels with --label-column"
            )
    return {name for name in classes if row[name] == "1"}
