"""Counts of shared labels, stored as planes: one binary digit of every count, one bit an item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.kernels.instructions import popcount
from hashbench.evaluation.kernels.layout import WORD, Sides, Words


@compiled
def digits_of(levels: int) -> int:
    """Count the binary digits of the largest level."""
    found = 0
    while (1 << found) < levels:
        found += 1
    return found


@compiled
def shared_labels(sides: Sides, query: int, made: Words) -> Words:
    """Count the labels each item shares with a query: plane p holds the counts' p-th binary digit.

    A single plane says whether any label is shared. The planes are written to ``made``, unless the
    label index already holds the only one.
    """
    index = sides.label_index
    labels = sides.labels[sides.label_starts[query] : sides.label_starts[query + 1]]
    if made.shape[0] == 1 and labels.shape[0] == 1:
        only = index.row_of[labels[0]]
        if only >= 0:
            return index.rows[only : only + 1]
    made[:] = 0
    for label in labels:
        row = index.row_of[label]
        if row >= 0:
            _add_row(index.rows[row], made)
        else:
            _add_items(index.items[index.starts[label] : index.starts[label + 1]], made)
    return made


@compiled
def _add_row(row: Words, planes: Words) -> None:
    if planes.shape[0] == 1:
        only = planes[0]
        for i in range(row.shape[0]):
            only[i] |= row[i]
        return
    for i in range(row.shape[0]):
        bits = row[i]
        for p in range(planes.shape[0]):
            digit = planes[p, i]
            planes[p, i] = digit ^ bits
            bits &= digit  # the carry


@compiled
def _add_items(items: NDArray[np.int32], planes: Words) -> None:
    for item in items:
        i, bits = item // WORD, np.uint64(1) << np.uint64(item % WORD)
        for p in range(planes.shape[0]):
            digit = planes[p, i]
            planes[p, i] = digit | bits if planes.shape[0] == 1 else digit ^ bits
            bits &= digit


@compiled
def set_bits(words: Words) -> np.uint64:
    """Count the set bits of all words."""
    found = np.uint64(0)
    for word in words:
        found += popcount(word)
    return found
