"""Counting pairs with a database on disk: every process counts blocks, and the counts are added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.counting import Counting, last_distance
from hashbench.evaluation.sharded.block_counting import (
    RELEVANCE,
    Asked,
    Histograms,
    HitRanks,
    Ranked,
    RankedGains,
)
from hashbench.evaluation.sharded.folder import Block
from hashbench.evaluation.sharded.processes import over_blocks

Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]

_CELLS_AT_ONCE = 1 << 20  # histogram cells of the queries of one pass: 8 MB
_RANKS_AT_ONCE = 1 << 24  # 128 MB


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """What one pass over the database gave of some queries.

    Attributes:
        start: The first query.
        stop: The query after the last.
        found: One entry a query.
    """

    start: int
    stop: int
    found: Any

    def covers(self, start: int, stop: int) -> bool:
        return self.start <= start and stop <= self.stop

    def of(self, start: int, stop: int) -> Any:
        return self.found[start - self.start : stop - self.start]


_NOTHING = _Pass(0, 0, ())


class ShardedCounting(Counting):
    """Reads the database once for many queries, and keeps what they will be asked for next.

    So queries should come in order. Nothing of the size of the database is held; of ranks, as many
    as are asked for.

    Args:
        asked: The queries and the database.
        levels: Gains are below it.
        processes: How many count at a time.
        progress: Called with blocks done and in all.
    """

    def __init__(
        self, asked: Asked, *, levels: int, processes: int = 1, progress: Progress | None = None
    ) -> None:
        self._asked, self._levels = asked, levels
        self._processes, self._progress = processes, progress
        self._queries = len(asked.query)
        self._histograms: dict[int, _Pass] = {}
        self._ranks = self._gains = _NOTHING

    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """Histograms of all blocks, added."""
        kept = self._histograms.get(levels, _NOTHING)
        if not kept.covers(start, stop):
            cells = levels * (self._asked.query.bits + 1)
            last = min(self._queries, max(stop, start + _CELLS_AT_ONCE // cells))
            total = np.zeros((last - start, levels, self._asked.query.bits + 1), dtype=np.int64)
            for counts in self._over(Histograms(self._asked.part(start, last), levels)):
                total += counts
            kept = self._histograms[levels] = _Pass(start, last, total)
        found: NDArray[np.int64] = kept.of(start, stop)
        return found

    def hit_ranks(
        self,
        start: int,
        stop: int,
        *,
        items_before: NDArray[np.int64],
        hits_before: NDArray[np.int64],
        limit: int,
    ) -> list[NDArray[np.int64]]:
        """Ranks of each block, moved behind those of closer items and of earlier blocks."""
        del items_before, hits_before  # of the queries asked for only
        if not self._ranks.covers(start, stop):
            last = self._as_many(start, stop, limit)
            before = self._items_before(start, last)
            asked = HitRanks(self._asked.part(start, last), last_distance(before, limit))
            parts: list[list[NDArray[np.int64]]] = [[] for _ in range(last - start)]
            for ranked, places in self._placed(asked, before):
                for row, (ranks, place) in enumerate(zip(ranked.found, places, strict=True)):
                    moved = _moved(ranks, ranked.before[row], place)
                    parts[row].append(moved[moved <= limit])
            found = [np.sort(np.concatenate(row)) for row in parts]
            self._ranks = _Pass(start, last, found)
        return list(self._ranks.of(start, stop))

    def ranked_gains(
        self, query: int, items_before: NDArray[np.int64], *, levels: int, limit: int
    ) -> NDArray[np.int64]:
        """Gains of each block, put behind those of closer items and of earlier blocks."""
        del items_before  # of the query asked for only
        if not self._gains.covers(query, query + 1):
            last = self._as_many(query, query + 1, limit)
            before = self._items_before(query, last)
            places = min(limit, int(before[0, -1]))
            found = np.zeros((last - query, places), dtype=np.int64)
            near = last_distance(before, limit)
            asked = RankedGains(self._asked.part(query, last), near, levels)
            for ranked, starts in self._placed(asked, before):
                for row, gains in enumerate(ranked.found):
                    own = np.arange(1, len(gains) + 1)
                    at = _moved(own, ranked.before[row], starts[row]) - 1
                    found[row, at[at < places]] = gains[at < places]
            self._gains = _Pass(query, last, found)
        (row,) = self._gains.of(query, query + 1)
        return np.asarray(row)

    def _as_many(self, start: int, stop: int, limit: int) -> int:
        """The query after the last of those whose ranks fit in memory together."""
        return min(self._queries, max(stop, start + _RANKS_AT_ONCE // limit))

    def _items_before(self, start: int, stop: int) -> NDArray[np.int64]:
        """Items at smaller distances in the whole database, (Q, bits + 2)."""
        levels = next(iter(self._histograms), RELEVANCE)  # counted already, if any were
        return _running(self.histograms(start, stop, levels).sum(axis=1))

    def _placed(
        self, work: Callable[[Block], Ranked], before: NDArray[np.int64]
    ) -> Iterator[tuple[Ranked, NDArray[np.int64]]]:
        """What each block ranks, with how many items stand before its own at every distance."""
        places = before[:, :-1].copy()
        for ranked in self._over(work):
            yield ranked, places
            places += np.diff(ranked.before, axis=1)

    def _over(self, work: Callable[[Block], Answer]) -> Iterator[Answer]:
        blocks = list(self._asked.folder.blocks())
        for done, answer in enumerate(over_blocks(work, blocks, processes=self._processes), 1):
            yield answer
            if self._progress:
                self._progress(done, len(blocks))


def _running(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of the entries before each, and of all, (Q, G + 1)."""
    return np.concatenate([np.zeros_like(counts[:, :1]), counts.cumsum(axis=1)], axis=1)


def _moved(
    ranks: NDArray[np.int64], before: NDArray[np.int64], place: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ranks within the whole database of items with ranks within a block.

    Args:
        ranks: From 1.
        before: Items of the block at smaller distances, (bits + 2,).
        place: Items of the database that stand before the block's first at each distance,
            (bits + 1,).
    """
    distances = before.searchsorted(ranks) - 1
    return ranks - before[distances] + place[distances]
