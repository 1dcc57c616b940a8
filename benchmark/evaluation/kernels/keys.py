"""Distances and keys of a block of items, made by loops without branches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.kernels.instructions import popcount
from hashbench.evaluation.kernels.layout import WORD, Words


@compiled
def fill_distances(words: Words, query: Words, start: int, out: NDArray[np.uint16]) -> None:
    """Write the distances of the items from ``start`` on."""
    part, own = words[0, start : start + out.shape[0]], query[0]
    for j in range(out.shape[0]):
        out[j] = np.uint16(popcount(part[j] ^ own))
    for k in range(1, words.shape[0]):
        part, own = words[k, start : start + out.shape[0]], query[k]
        for j in range(out.shape[0]):
            out[j] += np.uint16(popcount(part[j] ^ own))


@compiled
def fill_short_keys(
    words: Words, query: Any, flags: Words, start: int, radii: int, keys: NDArray[np.uint32]
) -> None:
    """Write the keys of pairs of items for codes of one word and a single plane, the usual case."""
    half, step, one = words.shape[0] // 2, np.uint64(radii), np.uint64(1)
    cells = step + step
    for i in range(keys.shape[0] // WORD):
        here, there = start + WORD * i, half + start + WORD * i
        first, second = words[here : here + WORD], words[there : there + WORD]
        first_flags, second_flags = flags[here // WORD], flags[there // WORD]
        block = keys[WORD * i : WORD * (i + 1)]
        for j in range(WORD):
            bit = np.uint64(j)
            row = popcount(first[j] ^ query) + step * ((first_flags >> bit) & one)
            column = popcount(second[j] ^ query) + step * ((second_flags >> bit) & one)
            block[j] = np.uint32(row * cells + column)


@compiled
def add_keys(
    words: Words,
    query: Words,
    planes: Words,
    start: int,
    per_bit: int,
    per_level: int,
    keys: NDArray[np.uint32],
) -> None:
    """Add the distances and levels, each times its factor, of the items from ``start`` on."""
    stop = start + keys.shape[0]
    for k in range(words.shape[0]):
        _add_distances(words[k, start:stop], query[k], np.uint64(per_bit), keys)
    for p in range(planes.shape[0]):
        flags = planes[p, start // WORD : stop // WORD]
        _add_flags(flags, np.uint64(per_level << p), keys)


@compiled
def _add_distances(words: Words, query: Any, factor: Any, keys: NDArray[np.uint32]) -> None:
    for j in range(keys.shape[0]):
        keys[j] += np.uint32(factor * popcount(words[j] ^ query))


@compiled
def _add_flags(flags: Words, factor: Any, keys: NDArray[np.uint32]) -> None:
    for i in range(flags.shape[0]):
        word = flags[i]
        block = keys[WORD * i : WORD * (i + 1)]
        for j in range(WORD):
            block[j] += np.uint32(factor * ((word >> np.uint64(j)) & np.uint64(1)))
