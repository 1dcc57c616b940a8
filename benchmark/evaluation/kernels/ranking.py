"""Ranking relevant items, alone or while all items are counted; gains and precisions by rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.kernels.instructions import equal, popcount
from hashbench.evaluation.kernels.keys import add_keys, fill_distances
from hashbench.evaluation.kernels.layout import BLOCK, LANES, SHORT, WORD, Sides, Words
from hashbench.evaluation.kernels.planes import digits_of, set_bits, shared_labels

_PRECISIONS = 512  # precisions of a block stay in the first-level cache


@compiled
def count_and_rank(
    sides: Sides,
    start: int,
    most: int,
    counts: NDArray[np.int64],
    ends: NDArray[np.int64],
    out: NDArray[np.int64],
) -> int:
    """Count as `count_pairs` does, and write the ranks of all relevant items in the same pass.

    Items are read in database order, which is the order of items at equal distance.

    Args:
        sides: Codes and labels.
        start: The first query.
        most: Ranks to write, unless the first query has more.
        counts: Zeros, (queries, 2, radii).
        ends: Receives the position in ``out`` where each query's ranks end, (queries,).
        out: Receives the ranks, ascending within a query; at least as long as the database.

    Returns:
        The number of queries done, at least one.
    """
    words = sides.words
    made = np.empty((1, words.shape[1] // WORD), np.uint64)
    distances, met = np.empty(BLOCK, np.uint16), np.empty(sides.items, np.int64)
    end = np.int64(0)
    for i in range(counts.shape[0]):
        query, planes = sides.queries[start + i], shared_labels(sides, start + i, made)
        hits = np.int64(set_bits(planes[0]))
        if i > 0 and end + hits > most:
            return int(i)
        found = met[:hits]
        _meet_hits(words, query, planes[0], distances, counts[i], found)
        counts[i, 0, np.intp(set_bits(query))] -= words.shape[1] - sides.items  # the padding
        _rank_met(found, counts[i], out[end : end + hits])
        end += hits
        ends[i] = end
    return int(counts.shape[0])


@compiled
def _meet_hits(
    words: Words,
    query: Words,
    flags: Words,
    distances: NDArray[np.uint16],
    counts: NDArray[np.int64],
    met: NDArray[np.int64],
) -> None:
    """Count all items on level 0 and hits on level 1, and note what each hit is ranked by.

    The note holds the number of items read so far at the hit's distance, itself included, and in
    the lowest binary digits the distance.
    """
    everything, relevant, place = counts[0], counts[1], 0
    for start in range(0, words.shape[1], BLOCK):
        block = distances[: min(BLOCK, words.shape[1] - start)]
        fill_distances(words, query, start, block)
        for first in range(0, block.shape[0], WORD):
            left = flags[(start + first) // WORD]
            while left != np.uint64(0):
                up_to = left ^ (left - np.uint64(1))  # the lowest flag and all below
                distance = block[first + np.int64(popcount(up_to)) - 1]
                beside = np.int64(popcount(equal(block, first, distance) & up_to))
                met[place] = ((everything[distance] + beside) << SHORT) | np.int64(distance)
                relevant[distance] += 1
                place += 1
                left &= left - np.uint64(1)
            for j in range(first, first + WORD):
                everything[block[j]] += 1


@compiled
def _rank_met(met: NDArray[np.int64], counts: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Order hits by distance, and rank them after all items that are closer."""
    radii = counts.shape[1]
    before, place = np.empty(radii, np.int64), np.empty(radii, np.int64)
    items, hits = 0, 0
    for distance in range(radii):
        before[distance], place[distance] = items, hits
        items += counts[0, distance]
        hits += counts[1, distance]
        counts[0, distance] -= counts[1, distance]
    for noted in met:
        distance = noted & ((1 << SHORT) - 1)
        out[place[distance]] = before[distance] + (noted >> SHORT)
        place[distance] += 1


@compiled
def rank_hits(
    sides: Sides,
    start: int,
    last: NDArray[np.int64],
    rank: NDArray[np.int64],
    hit: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Write the ranks of relevant items, those of a query in ascending order without sorting.

    The numbers of closer items and hits tell where each distance's ranks and hits begin; items are
    read in database order, which is the order of items at equal distance.

    Args:
        sides: Codes and labels.
        start: The first query.
        last: Items at larger distances are left out, (queries,).
        rank: Items at smaller distances, (queries, radii); is incremented.
        hit: Position in ``out`` of the first hit at each distance, (queries, radii); is
            incremented.
        out: Receives the ranks.
    """
    words, items = sides.words, sides.items
    made = np.empty((1, words.shape[1] // WORD), np.uint64)
    distances, near = np.empty(BLOCK, np.uint16), np.empty(BLOCK, np.int64)
    for i in range(last.shape[0]):
        query, planes = sides.queries[start + i], shared_labels(sides, start + i, made)
        for first in range(0, items, BLOCK):
            block = distances[: min(BLOCK, words.shape[1] - first)]
            fill_distances(words, query, first, block)
            flags = planes[0, first // WORD : (first + block.shape[0]) // WORD]
            _rank_near(block[: items - first], flags, last[i], rank[i], hit[i], near, out)


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
    """Pick the items of a block that are near enough, then rank them."""
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
    sides: Sides,
    query: int,
    levels: int,
    last: int,
    rank: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Write the levels of items by rank, equal distances in the order of the database.

    Args:
        sides: Codes and labels.
        query: Position of the query.
        levels: Levels are below it.
        last: Items at larger distances are left out.
        rank: Items at smaller distances, (radii,); is incremented.
        out: Receives the levels of all items up to distance ``last``.
    """
    words, items, digits = sides.words, sides.items, digits_of(levels)
    made = np.empty((digits, words.shape[1] // WORD), np.uint64)
    code, planes = sides.queries[query], shared_labels(sides, query, made)
    keys = np.empty(BLOCK, np.uint32)
    end = np.uint32((last + 1) << digits)
    for start in range(0, items, BLOCK):
        block = keys[: min(BLOCK, words.shape[1] - start)]
        block[:] = 0
        # The lowest binary digits are the level, the others the distance.
        add_keys(words, code, planes, start, 1 << digits, 1, block)
        for j in range(min(BLOCK, items - start)):
            key = block[j]
            if key < end:
                distance = key >> np.uint32(digits)
                out[rank[distance]] = key - (distance << np.uint32(digits))
                rank[distance] += 1


@compiled
def sum_precisions(ranks: NDArray[np.int64]) -> float:
    """Sum precisions in the same order of additions as `stable_order.sum_precisions`."""
    lanes, precisions = np.zeros(LANES), np.empty(_PRECISIONS)
    for start in range(0, ranks.shape[0], _PRECISIONS):
        block = ranks[start : start + _PRECISIONS]
        hits = block.shape[0]
        # A loop without the additions, so that the divisions become vector instructions.
        for j in range(hits):
            precisions[j] = (start + j + 1) / block[j]
        precisions[hits : -(-hits // LANES) * LANES] = 0
        for j in range(0, hits, LANES):
            for lane in range(LANES):
                lanes[lane] += precisions[j + lane]
    quarters = lanes[::2] + lanes[1::2]
    halves = quarters[::2] + quarters[1::2]
    return float(halves[0] + halves[1])
