"""Counting items by distance and level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.kernels.keys import add_keys, fill_short_keys
from hashbench.evaluation.kernels.layout import BLOCK, WORD, Sides, Words
from hashbench.evaluation.kernels.planes import digits_of, set_bits, shared_labels

_MOST_CELLS = 512  # a square of them takes 1 MB


@compiled
def count_pairs(sides: Sides, start: int, out: NDArray[np.int64]) -> None:
    """Count the items of every level at every distance.

    Args:
        sides: Codes and labels.
        start: The first query.
        out: Zeros, (queries, levels, radii); levels a power of two, at least 2. With two, an item
            that shares any label is on level 1, else the level is the number of shared labels.
    """
    words, (queries, levels, radii) = sides.words, out.shape
    cells = levels * radii
    made = np.empty((digits_of(levels), words.shape[1] // WORD), np.uint64)
    keys = np.empty(BLOCK, np.uint32)
    in_pairs = cells <= _MOST_CELLS and cells * cells <= words.shape[1]
    square = np.empty(cells * cells if in_pairs else 0, np.uint32)
    for i in range(queries):
        query, planes = sides.queries[start + i], shared_labels(sides, start + i, made)
        counts = out[i].reshape(cells)
        if in_pairs:
            _count_two_by_two(words, query, planes, radii, keys, square, counts)
        else:
            _count_one_by_one(words, query, planes, radii, keys, counts)
        counts[np.intp(set_bits(query))] -= words.shape[1] - sides.items  # the padding


@compiled
def _count_one_by_one(
    words: Words,
    query: Words,
    planes: Words,
    radii: int,
    keys: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    for start in range(0, words.shape[1], keys.shape[0]):
        block = keys[: min(keys.shape[0], words.shape[1] - start)]
        block[:] = 0
        add_keys(words, query, planes, start, 1, radii, block)
        for j in range(block.shape[0]):
            counts[block[j]] += 1


@compiled
def _count_two_by_two(
    words: Words,
    query: Words,
    planes: Words,
    radii: int,
    keys: NDArray[np.uint32],
    square: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> None:
    half, cells = words.shape[1] // 2, counts.shape[0]
    square[:] = 0
    for start in range(0, half, keys.shape[0]):
        block = keys[: min(keys.shape[0], half - start)]
        if words.shape[0] == 1 and planes.shape[0] == 1:
            fill_short_keys(words[0], query[0], planes[0], start, radii, block)
        else:
            block[:] = 0
            add_keys(words, query, planes, start, cells, cells * radii, block)
            add_keys(words, query, planes, half + start, 1, radii, block)
        for j in range(block.shape[0]):
            square[block[j]] += np.uint32(1)
    _add_square(square, counts)


@compiled
def _add_square(square: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
    """Add the counts along both axes of a square of cells."""
    cells = counts.shape[0]
    for first in range(cells):
        row = square[first * cells : (first + 1) * cells]
        total = 0
        for second in range(cells):
            total += row[second]
        if total:
            counts[first] += total
            for second in range(cells):
                counts[second] += row[second]
