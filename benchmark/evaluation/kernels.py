"""Compiled loops over query and item pairs. Importing this module imports numba.

Everything here is in whole numbers, so what the compiler does to the order of operations changes
nothing. The loops hold no lock of the interpreter. Beside what a block needs they allocate a bit an
item and, to rank all relevant ones, eight bytes for each of those.

The *key* of an item is a whole number made of its distance and its level, such as its cell in a
histogram, ``distance + radii * level``. Keys are made for a
block of items by short loops without branches, which the compiler turns into vector instructions,
and are then counted one by one. Counting is what limits the speed: a processor adds to one counter
at a time. So where the cells are few, the keys of two items, one of each half of the database, make
one index into a square of cells, and one addition counts both.

What is relevant is ranked while everything is counted by distance: an item stands behind all that
are closer, which is known in the end, and behind those of its distance that were met before it.
Items are counted 64 at a time, and each relevant one's distance is compared with those of its 64.

All of it is in one file because the cache on disk notices changes of a function's own file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hashbench.evaluation.compiled import compiled
from hashbench.evaluation.label_index import LabelIndex

Words = NDArray[np.uint64]

_BLOCK = 2048  # keys of a block, their codes and their flags stay in the first-level cache
_MOST_CELLS = 512  # a square of them takes 1 MB
_WORD, _SHORT = 64, 16  # binary digits


def _popcount(typing: Any, value: Any) -> Any:
    del typing, value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount = cast(Callable[[Any], Any], intrinsic(_popcount))
"""Set bits of a uint64; only compiled code can call it."""


def _equal(typing: Any, array: Any, start: Any, value: Any) -> Any:
    del typing, start, value
    if array.layout != "C" or array.dtype != types.uint16:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held, first, sought = arguments
        data = context.make_array(signature.args[0])(context, builder, held).data
        short = ir.IntType(_SHORT)
        row = ir.VectorType(short, _WORD)
        numbers = builder.load(builder.bitcast(builder.gep(data, [first]), row.as_pointer()))
        numbers.align = 2
        some = ir.Constant(row, ir.Undefined)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), _WORD), [0] * _WORD)
        single = builder.insert_element(some, sought, ir.Constant(ir.IntType(32), 0))
        same = builder.icmp_unsigned("==", numbers, builder.shuffle_vector(single, some, lanes))
        return builder.bitcast(same, ir.IntType(_WORD))

    return types.uint64(array, types.intp, types.uint16), generate


equal = cast(Callable[[Any, Any, Any], Any], intrinsic(_equal))
"""Which of 64 numbers of a uint16 array, from a place on, are a value, as bits of a uint64.

The array lies in one piece and has 64 numbers from there on; nothing checks it.
"""


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
    made = np.empty((_digits(levels), words.shape[1] // _WORD), np.uint64)
    keys = np.empty(_BLOCK, np.uint32)
    in_pairs = cells <= _MOST_CELLS and cells * cells <= words.shape[1]
    square = np.empty(cells * cells if in_pairs else 0, np.uint32)
    for i in range(queries.shape[0]):
        planes = _planes(labels[label_starts[i] : label_starts[i + 1]], index, made)
        counts = out[i].reshape(cells)
        if in_pairs:
            _count_two_by_two(words, queries[i], planes, radii, keys, square, counts)
        else:
            _count_one_by_one(words, queries[i], planes, radii, keys, counts)
        counts[np.intp(_set_bits(queries[i]))] -= padding


@compiled
def _set_bits(words: Words) -> np.uint64:
    found = np.uint64(0)
    for word in words:
        found += popcount(word)
    return found


@compiled
def count_and_rank(
    words: Words,
    queries: Words,
    label_starts: NDArray[np.int64],
    labels: NDArray[np.int64],
    index: LabelIndex,
    padding: int,
    most: int,
    counts: NDArray[np.int64],
    ends: NDArray[np.int64],
    out: NDArray[np.int64],
) -> int:
    """Count as `count_pairs` does, and write the ranks of all relevant items in the same pass.

    Items are met in the order in which equal distances stand.

    Args:
        words: Codes of the database, as in `count_pairs`.
        queries: Codes of the queries, (Q, words).
        label_starts: As in `count_pairs`.
        labels: Classes.
        index: Labels of the database.
        padding: As in `count_pairs`.
        most: Ranks to write, unless the first query has more.
        counts: Zeros, (Q, 2, radii).
        ends: Where in ``out`` the ranks of every query end, (Q,).
        out: For the ranks, those of a query in ascending order; at least as many as items.

    Returns:
        How many queries are done, at least one.
    """
    made = np.empty((1, words.shape[1] // _WORD), np.uint64)
    distances, met = np.empty(_BLOCK, np.uint16), np.empty(words.shape[1] - padding, np.int64)
    end = np.int64(0)
    for i in range(queries.shape[0]):
        planes = _planes(labels[label_starts[i] : label_starts[i + 1]], index, made)
        hits = np.int64(_set_bits(planes[0]))
        if i > 0 and end + hits > most:
            return int(i)
        found = met[:hits]
        _meet_hits(words, queries[i], planes[0], distances, counts[i], found)
        counts[i, 0, np.intp(_set_bits(queries[i]))] -= padding
        _rank_met(found, counts[i], out[end : end + hits])
        end += hits
        ends[i] = end
    return int(queries.shape[0])


@compiled
def _meet_hits(
    words: Words,
    query: Words,
    flags: Words,
    distances: NDArray[np.uint16],
    counts: NDArray[np.int64],
    met: NDArray[np.int64],
) -> None:
    """Count everything on level 0 and hits on level 1; note for each hit what it is ranked by.

    That is how many items of its distance were met, itself included, and the distance, which takes
    the lowest binary digits.
    """
    everything, relevant, place = counts[0], counts[1], 0
    for start in range(0, words.shape[1], _BLOCK):
        block = distances[: min(_BLOCK, words.shape[1] - start)]
        _fill_distances(words, query, start, block)
        for first in range(0, block.shape[0], _WORD):
            left = flags[(start + first) // _WORD]
            while left != np.uint64(0):
                up_to = left ^ (left - np.uint64(1))  # the lowest flag and all below
                distance = block[first + np.int64(popcount(up_to)) - 1]
                beside = np.int64(popcount(equal(block, first, distance) & up_to))
                met[place] = ((everything[distance] + beside) << _SHORT) | np.int64(distance)
                relevant[distance] += 1
                place += 1
                left &= left - np.uint64(1)
            for j in range(first, first + _WORD):
                everything[block[j]] += 1


@compiled
def _rank_met(met: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Order hits by distance, and rank them behind all items that are closer."""
    radii = counts.shape[1]
    before, place = np.empty(radii, np.int64), np.empty(radii, np.int64)
    items, hits = 0, 0
    for distance in range(radii):
        before[distance], place[distance] = items, hits
        items += counts[0, distance]
        hits += counts[1, distance]
        counts[0, distance] -= counts[1, distance]
    for noted in met:
        distance = noted & ((1 << _SHORT) - 1)
        out[place[distance]] = before[distance] + (noted >> _SHORT)
        place[distance] += 1


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
    made = np.empty((1, words.shape[1] // _WORD), np.uint64)
    distances, near = np.empty(_BLOCK, np.uint16), np.empty(_BLOCK, np.int64)
    for i in range(queries.shape[0]):
        planes = _planes(labels[label_starts[i] : label_starts[i + 1]], index, made)
        for start in range(0, items, _BLOCK):
            block = distances[: min(_BLOCK, words.shape[1] - start)]
            _fill_distances(words, queries[i], start, block)
            flags = planes[0, start // _WORD : (start + block.shape[0]) // _WORD]
            _rank_near(block[: items - start], flags, last[i], rank[i], hit[i], near, out)


@compiled
def _fill_distances(words: Words, query: Words, start: int, out: NDArray[np.uint16]) -> None:
    """The distances of the items from ``start`` on."""
    part, own = words[0, start : start + out.shape[0]], query[0]
    for j in range(out.shape[0]):
        out[j] = np.uint16(popcount(part[j] ^ own))
    for k in range(1, words.shape[0]):
        part, own = words[k, start : start + out.shape[0]], query[k]
        for j in range(out.shape[0]):
            out[j] += np.uint16(popcount(part[j] ^ own))


@compiled
def _rank_near(
    distances: NDArray[np.uint16],
    flags: Words,
    last: int,
    rank: NDArray[np.int64],
    hit: NDArray[np.int64],
    near: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Pick the items of a block out that are near enough, then rank them."""
    count, limit = np.uint64(0), np.uint16(last)
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
    made = np.empty((digits, words.shape[1] // _WORD), np.uint64)
    planes = _planes(labels, index, made)
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
def _planes(labels: NDArray[np.int64], index: LabelIndex, made: Words) -> Words:
    """Count the labels that each item shares: plane p holds every item's p-th binary digit.

    A single plane stays at one. The planes are written to ``made``, unless they are there already.
    """
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
