"""Compiled loops over query and item pairs. Importing this module imports numba.

Everything here is in whole numbers, so what the compiler does to the order of operations changes
nothing. The loops hold no lock of the interpreter and allocate only what a block needs.

The *key* of an item is a whole number made of its distance and its level, such as its cell in a
histogram, ``distance + radii * level``. Keys are made for a
block of items by short loops without branches, which the compiler turns into vector instructions,
and are then counted one by one. Counting is what limits the speed: a processor adds to one counter
at a time. So where the cells are few, the keys of two items, one of each half of the database, make
one index into a square of cells, and one addition counts both.

All of it is in one file because the cache on disk notices changes of a function's own file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hashbench.evaluation.compiled import compiled
from hashbench.evaluation.label_index import LabelIndex

Words = NDArray[np.uint64]

_BLOCK = 2048  # keys of a block, their codes and their flags stay in the first-level cache
_MOST_CELLS = 512  # a square of them takes 1 MB
_WORD = 64


def _popcount(typing: Any, value: Any) -> Any:
    del typing, value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount = cast(Callable[[Any], Any], intrinsic(_popcount))
"""Set bits of a uint64; only compiled code can call it."""


@compiled
def count_pairs(
    words: Words,
    queries: Words,
    label_starts: NDArray[np.int64],
    labels: NDArray[np.int64],
    index: LabelIndex,
    padding: int,
    out: NDArray[np.int64],
) -> None:
    """Add up how many items of every level are at every distance.

    Args:
        words: Codes of the database, one row a 64-bit word, (words, N); N a multiple of 128.
        queries: Codes of the queries, (Q, words).
        label_starts: The labels of query i are ``labels[label_starts[i]:label_starts[i + 1]]``.
        labels: Classes.
        index: Labels of the database.
        padding: Items at the end that are not there; their codes are 0 and they have no label.
        out: Zeros, (Q, levels, radii); levels a power of two, at least 2. With two, an item that
            shares any label is on level 1, else the level is the number of shared labels.
    """
    levels, radii = out.shape[1], out.shape[2]
    cells = levels * radii
    planes = np.empty((_digits(levels), words.shape[1] // _WORD), np.uint64)
    keys = np.empty(_BLOCK, np.uint32)
    in_pairs = cells <= _MOST_CELLS and cells * cells <= words.shape[1]
    square = np.empty(cells * cells if in_pairs else 0, np.uint32)
    for i in range(queries.shape[0]):
        own = labels[label_starts[i] : label_starts[i + 1]]
        _add_labels(own, index, planes)
        counts = out[i].reshape(cells)
        if in_pairs:
            _count_two_by_two(words, queries[i], planes, radii, keys, square, counts)
        else:
            _count_one_by_one(words, queries[i], planes, radii, keys, counts)
        far = np.uint64(0)
        for word in queries[i]:
            far += popcount(word)
        counts[np.intp(far)] -= padding


@compiled
def rank_hits(
    words: Words,
    queries: Words,
    label_starts: NDArray[np.int64],
    labels: NDArray[np.int64],
    index: LabelIndex,
    items: int,
    last: NDArray[np.int64],
    rank: NDArray[np.int64],
    hit: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Write the ranks of relevant items, those of a query in ascending order without sorting.

    How many items and hits are closer tells where each distance's ranks and hits begin, and items
    are met in the order in which equal distances stand.

    Args:
        words: Codes of the database, as in `count_pairs`.
        queries: Codes of the queries, (Q, words).
        label_starts: As in `count_pairs`.
        labels: Classes.
        index: Labels of the database.
        items: Database size without padding.
        last: Items at larger distances are left out, (Q,).
        rank: Items at smaller distances, (Q, radii); is counted on.
        hit: Where in ``out`` the hits of every distance begin, (Q, radii); is counted on.
        out: For the ranks.
    """
    planes = np.empty((1, words.shape[1] // _WORD), np.uint64)
    keys, ranks = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.int64)
    for i in range(queries.shape[0]):
        _add_labels(labels[label_starts[i] : label_starts[i + 1]], index, planes)
        everything = last[i] + 1 == rank.shape[1]
        for start in range(0, items, _BLOCK):
            block = keys[: min(_BLOCK, words.shape[1] - start)]
            _fill_distances(words, queries[i], start, block)
            flags = planes[0, start // _WORD : (start + block.shape[0]) // _WORD]
            within = block[: items - start]
            if everything:
                _rank_all(within, flags, rank[i], hit[i], ranks, out)
            else:
                _rank_near(within, flags, last[i], rank[i], hit[i], ranks, out)


@compiled
def _fill_distances(words: Words, query: Words, start: int, out: NDArray[np.uint32]) -> None:
    """The distances of the items from ``start`` on."""
    part, own = words[0, start : start + out.shape[0]], query[0]
    for j in range(out.shape[0]):
        out[j] = np.uint32(popcount(part[j] ^ own))
    for k in range(1, words.shape[0]):
        _add_distances(words[k, start : start + out.shape[0]], query[k], np.uint64(1), out)


@compiled
def _rank_all(
    distances: NDArray[np.uint32],
    flags: Words,
    rank: NDArray[np.int64],
    hit: NDArray[np.int64],
    ranks: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Rank a block of items, then pick the relevant ones out."""
    for j in range(distances.shape[0]):
        distance = distances[j]
        found = rank[distance] + 1
        rank[distance] = found
        ranks[j] = found
    for i in range(flags.shape[0]):
        left = flags[i]
        while left != np.uint64(0):
            lowest = left & (~left + np.uint64(1))
            j = np.uint64(_WORD * i) + popcount(lowest - np.uint64(1))
            distance = distances[j]
            place = hit[distance]
            out[place] = ranks[j]
            hit[distance] = place + 1
            left ^= lowest


@compiled
def _rank_near(
    distances: NDArray[np.uint32],
    flags: Words,
    last: int,
    rank: NDArray[np.int64],
    hit: NDArray[np.int64],
    near: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Pick the items of a block out that are near enough, then rank them."""
    count, limit = np.uint64(0), np.uint32(last)
    for j in range(distances.shape[0]):
        near[count] = j
        count += np.uint64(distances[j] <= limit)
    for k in range(count):
        item = np.uint64(near[k])
        distance = distances[item]
        found = rank[distance] + 1
        rank[distance] = found
        if (flags[item >> np.uint64(6)] >> (item & np.uint64(63))) & np.uint64(1):
            place = hit[distance]
            out[place] = found
            hit[distance] = place + 1


@compiled
def rank_gains(
    words: Words,
    query: Words,
    labels: NDArray[np.int64],
    index: LabelIndex,
    items: int,
    levels: int,
    last: int,
    rank: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Write the levels of items by rank, equal distances in the order of the database.

    Args:
        words: Codes of the database, as in `count_pairs`.
        query: Code of the query, (words,).
        labels: Its classes.
        index: Labels of the database.
        items: Database size without padding.
        levels: Levels are below it.
        last: Items at larger distances are left out.
        rank: Items at smaller distances, (radii,); is counted on.
        out: For the levels of all items up to distance ``last``.
    """
    digits = _digits(levels)
    planes = np.empty((digits, words.shape[1] // _WORD), np.uint64)
    _add_labels(labels, index, planes)
    keys = np.empty(_BLOCK, np.uint32)
    end = np.uint32((last + 1) << digits)
    for start in range(0, items, _BLOCK):
        block = keys[: min(_BLOCK, words.shape[1] - start)]
        block[:] = 0
        # The lowest binary digits are the level, the others the distance.
        _add_keys(words, query, planes, start, 1 << digits, 1, block)
        for j in range(min(_BLOCK, items - start)):
            key = block[j]
            if key < end:
                distance = key >> np.uint32(digits)
                out[rank[distance]] = key - (distance << np.uint32(digits))
                rank[distance] += 1


@compiled
def _digits(levels: int) -> int:
    """Binary digits of the largest level."""
    found = 0
    while (1 << found) < levels:
        found += 1
    return found


@compiled
def _add_labels(labels: NDArray[np.int64], index: LabelIndex, planes: Words) -> None:
    """Count the labels that each item shares: plane p holds every item's p-th binary digit.

    A single plane stays at one.
    """
    planes[:] = 0
    for label in labels:
        row = index.row_of[label]
        if row >= 0:
            _add_row(index.rows[row], planes)
        else:
            _add_items(index.items[index.starts[label] : index.starts[label + 1]], planes)


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
        i, bits = item // _WORD, np.uint64(1) << np.uint64(item % _WORD)
        for p in range(planes.shape[0]):
            digit = planes[p, i]
            planes[p, i] = digit | bits if planes.shape[0] == 1 else digit ^ bits
            bits &= digit


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
        _add_keys(words, query, planes, start, 1, radii, block)
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
            _fill_short_keys(words[0], query[0], planes[0], start, radii, block)
        else:
            block[:] = 0
            _add_keys(words, query, planes, start, cells, cells * radii, block)
            _add_keys(words, query, planes, half + start, 1, radii, block)
        for j in range(block.shape[0]):
            square[block[j]] += np.uint32(1)
    _add_square(square, counts)


@compiled
def _add_square(square: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
    """Add up both sides of a square of cells."""
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


@compiled
def _fill_short_keys(
    words: Words, query: Any, flags: Words, start: int, radii: int, keys: NDArray[np.uint32]
) -> None:
    """Keys of pairs for codes of one word and a single plane, the usual case, in one go."""
    half, step, one = words.shape[0] // 2, np.uint64(radii), np.uint64(1)
    cells = step + step
    for i in range(keys.shape[0] // _WORD):
        here, there = start + _WORD * i, half + start + _WORD * i
        first, second = words[here : here + _WORD], words[there : there + _WORD]
        first_flags, second_flags = flags[here // _WORD], flags[there // _WORD]
        block = keys[_WORD * i : _WORD * (i + 1)]
        for j in range(_WORD):
            bit = np.uint64(j)
            row = popcount(first[j] ^ query) + step * ((first_flags >> bit) & one)
            column = popcount(second[j] ^ query) + step * ((second_flags >> bit) & one)
            block[j] = np.uint32(row * cells + column)


@compiled
def _add_keys(
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
        flags = planes[p, start // _WORD : stop // _WORD]
        _add_flags(flags, np.uint64(per_level << p), keys)


@compiled
def _add_distances(words: Words, query: Any, factor: Any, keys: NDArray[np.uint32]) -> None:
    for j in range(keys.shape[0]):
        keys[j] += np.uint32(factor * popcount(words[j] ^ query))


@compiled
def _add_flags(flags: Words, factor: Any, keys: NDArray[np.uint32]) -> None:
    for i in range(flags.shape[0]):
        word = flags[i]
        block = keys[_WORD * i : _WORD * (i + 1)]
        for j in range(_WORD):
            block[j] += np.uint32(factor * ((word >> np.uint64(j)) & np.uint64(1)))
