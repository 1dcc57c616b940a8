"""The layout of codes and labels in memory that the compiled loops work on.

Importing this module does not import numba.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

SHORT = 16
"""Binary digits that hold any distance."""

BLOCK = 2048
"""Items handled together; their keys, codes and flags stay in the first-level cache."""

WORD = 64
"""Binary digits of a word: of a part of a code, or of one bit for each of so many items."""

ALIGNMENT = 128
"""Databases are padded to a multiple of this, so that each half has whole words of one bit an item.
"""

LANES: Final = 8
"""Partial sums that precisions are added up in, by the compiled loop and by numpy alike."""

_COLUMNS_AT_ONCE = 32
_POSITION_BITS = 32  # a listed position takes as much as so many items take in a row of bits


class LabelIndex(NamedTuple):
    """The items of every class; at most four bytes for every label of the database.

    A class that many items have is a row of one bit an item; one that few have is a list of
    positions. A named tuple because compiled code takes one.

    Attributes:
        rows: One bit an item, least significant first, uint64 (frequent classes, N / 64).
        row_of: A class's row, or -1 where its items are listed, int64 (classes,).
        starts: The listed items of class c are ``items[starts[c]:starts[c + 1]]``.
        items: Positions, int32.
    """

    rows: NDArray[np.uint64]
    row_of: NDArray[np.int64]
    starts: NDArray[np.int64]
    items: NDArray[np.int32]


class Sides(NamedTuple):
    """The codes and labels of queries and database.

    A named tuple because compiled code takes one.

    Attributes:
        words: Codes of the database, one row a 64-bit word, (words, N); N a multiple of 128.
        items: Database size; the codes after it are 0 and have no label.
        label_index: Labels of the database.
        queries: Codes of the queries, (Q, words).
        label_starts: The labels of query i are ``labels[label_starts[i]:label_starts[i + 1]]``.
        labels: Classes, int64.
    """

    words: Words
    items: int
    label_index: LabelIndex
    queries: Words
    label_starts: NDArray[np.int64]
    labels: NDArray[np.int64]


def padded(items: int) -> int:
    """Round a database size up to the alignment."""
    return -(-items // ALIGNMENT) * ALIGNMENT


def index_labels(labels: NDArray[np.uint8]) -> LabelIndex:
    """Index the labels of a database.

    Args:
        labels: uint8 (N, classes), multi-hot.
    """
    items, classes = labels.shape
    row_of = np.full(classes, -1, dtype=np.int64)
    starts = np.zeros(classes + 1, dtype=np.int64)
    rows: list[NDArray[np.uint64]] = []
    listed: list[NDArray[np.int32]] = []
    for label, column in enumerate(_columns(labels)):
        count = int(np.count_nonzero(column))
        if count * _POSITION_BITS >= items:
            row_of[label] = len(rows)
            rows.append(_row(column))
        else:
            listed.append(np.flatnonzero(column).astype(np.int32))
            starts[label + 1] = count
    return LabelIndex(
        np.stack([*rows, _row(np.zeros(items, np.uint8))])[: len(rows)],
        row_of,
        starts.cumsum(),
        np.concatenate([*listed, np.empty(0, np.int32)]),
    )


def _columns(labels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The column of each class in one piece; in the array its items lie far apart."""
    for start in range(0, labels.shape[1], _COLUMNS_AT_ONCE):
        yield from np.ascontiguousarray(labels[:, start : start + _COLUMNS_AT_ONCE].T)


def _row(column: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """One bit an item, (padded N / 64,)."""
    row = np.zeros(padded(len(column)) // WORD, dtype=np.uint64)
    packed = np.packbits(column, bitorder="little")
    row.view(np.uint8)[: len(packed)] = packed
    return row
