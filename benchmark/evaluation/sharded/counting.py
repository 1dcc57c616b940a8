"""Counting pairs with a sharded database: every block is counted by itself, and the counts merged.

A block of the database is counted in memory by the same implementations as a whole database. The
histograms of the blocks are added; ranks within a block become ranks within the database by adding
the items that stand before the block's first one at each distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.hamming import make_counting
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.sharded.folder import Block, ShardFolder
from hashbench.evaluation.sharded.processes import over_blocks
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.evaluation.tool import Tool

Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]
"""Called with the blocks done and the blocks in all."""

_CELLS_AT_ONCE = 1 << 20  # histogram cells of the queries of one pass: 8 MB
_RANKS_AT_ONCE = 1 << 24  # 128 MB
_RELEVANCE = 2  # levels of a histogram by relevance


@dataclass(frozen=True, slots=True, eq=False)
class ShardedPairs:
    """The queries and the sharded database whose pairs are counted; can be pickled.

    Attributes:
        folder: The database.
        query: Codes of the queries.
        labels: Labels of the queries, uint8 (Q, classes), multi-hot.
        tool: What counts the pairs of a block.
    """

    folder: ShardFolder
    query: Codes
    labels: NDArray[np.uint8]
    tool: Tool

    def part(self, start: int, stop: int) -> ShardedPairs:
        """The pairs of the queries ``start`` to ``stop - 1``."""
        query = Codes(self.query.packed[start:stop], self.query.bits)
        return ShardedPairs(self.folder, query, self.labels[start:stop], self.tool)

    def counting(self, block: Block) -> Counting:
        """Read a block of the database, to count its pairs with all queries."""
        relevance = Relevance(self.labels, self.folder.labels(block))
        return make_counting(self.query, self.folder.codes(block), relevance, tool=self.tool)


class ShardedCounting(Counting):
    """Reads the database once for many queries, and keeps the results of the next ones.

    So queries should come in order. Nothing of the size of the database is held; ranks are held up
    to the limit that the caller gives.

    Args:
        pairs: The queries and the database.
        processes: How many count at a time.
        progress: Called with blocks done and in all.
    """

    def __init__(
        self, pairs: ShardedPairs, *, processes: int = 1, progress: Progress | None = None
    ) -> None:
        self._pairs, self._processes, self._progress = pairs, processes, progress
        self._histograms: dict[int, _Pass] = {}
        self._ranks = self._gains = _NO_PASS

    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """Add the histograms of all blocks."""
        radii = self._pairs.query.bits + 1
        kept = self._histograms.get(levels, _NO_PASS)
        if not kept.covers(start, stop):
            last = self._last(start, stop, _CELLS_AT_ONCE // (levels * radii))
            total = np.zeros((last - start, levels, radii), dtype=np.int64)
            for counts in self._over(_CountBlock(self._pairs.part(start, last), levels)):
                total += counts
            kept = self._histograms[levels] = _Pass(start, last, total)
        found: NDArray[np.int64] = kept.results(start, stop)
        return found

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Merge the ranks of relevant items in all blocks."""
        del groups  # of these queries only; a pass ranks the next ones too
        if not self._ranks.covers(start, stop):
            last = self._last(start, stop, _RANKS_AT_ONCE // limit)
            parts: list[list[NDArray[np.int64]]] = [[] for _ in range(last - start)]
            for row, ranks, _ in self._ranked(start, last, limit=limit, levels=None):
                parts[row].append(ranks)
            self._ranks = _Pass(start, last, [np.sort(np.concatenate(row)) for row in parts])
        yield from self._ranks.results(start, stop)

    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, levels: int, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Place the gains of all blocks at their ranks."""
        places = min(limit, groups.items)
        for query in range(start, stop):
            if not self._gains.covers(query, query + 1):
                last = self._last(query, query + 1, _RANKS_AT_ONCE // limit)
                found = np.zeros((last - query, places), dtype=np.int64)
                for row, ranks, gains in self._ranked(query, last, limit=limit, levels=levels):
                    found[row, ranks - 1] = gains
                self._gains = _Pass(query, last, found)
            yield from self._gains.results(query, query + 1)

    def _last(self, start: int, stop: int, room: int) -> int:
        """The query after the last of a pass with room for so many, ``stop`` at least."""
        return min(len(self._pairs.query), max(stop, start + room))

    def _ranked(
        self, start: int, stop: int, *, limit: int, levels: int | None
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Rank the items of each block among those of the database.

        Args:
            start: The first query.
            stop: The query after the last.
            limit: Ranks above this one are left out.
            levels: Gains are below it; None to rank relevant items only.

        Yields:
            For every block and query: the query's row from ``start``, ranks, and what the block
            found at each of these ranks.
        """
        counted = next(iter(self._histograms), _RELEVANCE)  # counted already, if any were
        groups = TieGroups.from_histograms(self.histograms(start, stop, counted))
        before = groups.items_up_to()[:, :-1].copy()  # items before the block's first, by distance
        work = _RankBlock(self._pairs.part(start, stop), groups.cut(limit).index, levels)
        for inside, answers in self._over(work):
            for row, found in enumerate(answers):
                own = found if levels is None else np.arange(1, len(found) + 1)
                distances = inside[row].searchsorted(own) - 1
                ranks = own - inside[row, distances] + before[row, distances]
                yield row, ranks[ranks <= limit], found[ranks <= limit]
            before += np.diff(inside, axis=1)

    def _over(self, work: Callable[[Block], Answer]) -> Iterator[Answer]:
        blocks = list(self._pairs.folder.blocks())
        for done, answer in enumerate(over_blocks(work, blocks, processes=self._processes), 1):
            yield answer
            if self._progress:
                self._progress(done, len(blocks))


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """The results of one pass over the database, one entry for each query from start to stop."""

    start: int
    stop: int
    found: Sequence[Any] | NDArray[Any]

    def covers(self, start: int, stop: int) -> bool:
        return self.start <= start and stop <= self.stop

    def results(self, start: int, stop: int) -> Any:
        return self.found[start - self.start : stop - self.start]


_NO_PASS = _Pass(0, 0, ())


@dataclass(frozen=True, slots=True, eq=False)
class _CountBlock:
    """Computes the histograms of one block; see `Counting.histograms`."""

    pairs: ShardedPairs
    levels: int

    def __call__(self, block: Block) -> NDArray[np.int64]:
        return self.pairs.counting(block).histograms(0, len(self.pairs.query), self.levels)


@dataclass(frozen=True, slots=True, eq=False)
class _RankBlock:
    """Ranks the items of one block.

    Attributes:
        pairs: The queries and the database.
        last: For each query, the distance up to which items are ranked, int64 (Q,).
        levels: Gains are below it; None to rank relevant items only.
    """

    pairs: ShardedPairs
    last: NDArray[np.int64]
    levels: int | None

    def __call__(self, block: Block) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Rank the items of a block that are near enough, by distance and then by position.

        Returns:
            Items of the block at smaller distances, int64 (Q, bits + 2), all of them at the end;
            and for each query int64: the ranks of its relevant items, within the block and from 1,
            or the gains by rank.
        """
        counting, queries = self.pairs.counting(block), len(self.last)
        groups = TieGroups.from_histograms(counting.histograms(0, queries, _RELEVANCE))
        before = groups.items_up_to()
        near = before[np.arange(queries), self.last + 1]
        limit = max(1, int(near.max()))
        if self.levels is None:
            ranks = counting.hit_ranks(0, queries, groups=groups, limit=limit)
            found = [row[row <= most] for row, most in zip(ranks, near, strict=True)]
        else:
            gains = counting.ranked_gains(
                0, queries, groups=groups, levels=self.levels, limit=limit
            )
            found = [row[:most] for row, most in zip(gains, near, strict=True)]
        return before, found
