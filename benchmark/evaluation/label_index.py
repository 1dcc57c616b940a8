"""Which items of a database have a class: one bit an item, or a list where there are few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 128
"""Databases are padded to a multiple of this, so that each half has whole words of one bit an item.
"""

WORD = 64
"""Binary digits of a word: of a part of a code, or of one bit for each of so many items."""

_COLUMNS_AT_ONCE = 32
_POSITION_BITS = 32  # a listed position takes as much as so many items take in a row of bits


class LabelIndex(NamedTuple):
    """The items of every class; at most four bytes for every label of the database.

    A named tuple because compiled code takes one.

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


def padded(items: int) -> int:
    """The database size, rounded up to the alignment."""
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
