"""Ranking by Hamming distance: one histogram over distance and relevance, or gain, a query."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.compiled_counting import CompiledCounting
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.names import Ties
from hashbench.evaluation.numpy_counting import NumpyCounting
from hashbench.evaluation.ranking import Ranking, Take
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import GainGroups, TieGroups
from hashbench.evaluation.tool import Tool

_CELLS_AT_ONCE = 1 << 17  # histogram cells of a block of queries: 1 MB of float64
_PAIRS_AT_ONCE = 1 << 24  # some milliseconds: enough for what a block costs beside its pairs
_BLOCKS_AT_LEAST = 4  # work for that many threads, where there are pairs for so many
_BLOCKS_ENOUGH = 16  # more would only cost


class HammingRanking(Ranking):
    """A database of codes, ranked by what a counting says of its pairs.

    Args:
        counting: Counts the pairs of queries and database.
        queries: Number of queries Q.
        items: Database size N.
        bits: Code length.
        levels: Gains are below it.
        concurrent: Whether several threads may count at once.
    """

    def __init__(
        self,
        counting: Counting,
        *,
        queries: int,
        items: int,
        bits: int,
        levels: int,
        concurrent: bool = True,
    ) -> None:
        self._counting = counting
        self._radii = bits + 1
        self.items = items
        self.levels = levels
        self.concurrent = concurrent
        self.block = self._block(queries)

    def _block(self, queries: int) -> int:
        """Queries at once, of blocks of even size; neither threads nor tool have a say in it."""
        most = max(1, _CELLS_AT_ONCE // max(self._radii, self.levels))
        pairs = queries * self.items
        blocks = max(-(-queries // most), min(-(-pairs // _PAIRS_AT_ONCE), _BLOCKS_ENOUGH))
        if blocks > 1:
            blocks = -(-blocks // _BLOCKS_AT_LEAST) * _BLOCKS_AT_LEAST
        return -(-queries // blocks)

    def groups(self, start: int, stop: int) -> TieGroups:
        """Tie groups by distance: one for each of 0..bits, empty ones included."""
        return TieGroups.from_histograms(self._counting.histograms(start, stop, 2))

    def groups_and_ranks(
        self, start: int, stop: int, take: Take, *, groups: TieGroups | None = None
    ) -> TieGroups:
        """Tie groups, and the ranks of all relevant items; of one pass if that is possible."""
        counts = self._counting.histograms_and_ranks(start, stop, take)
        if counts is None:
            return super().groups_and_ranks(start, stop, take, groups=groups)
        return TieGroups.from_histograms(counts)

    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Tie groups by distance with the gains in each; one histogram over both a query."""
        return GainGroups.from_histograms(
            self._counting.histograms(first, last, self.levels)
            for first, last in self._parts(start, stop)
        )

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Parts of a block whose histograms by gain are no larger than others by relevance."""
        step = max(1, _CELLS_AT_ONCE // (self._radii * self.levels))
        for first in range(start, stop, step):
            yield first, min(first + step, stop)

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Ranks of relevant items up to ``limit`` at least, equal distances in database order."""
        return self._counting.hit_ranks(start, stop, groups=groups, limit=limit)

    def sum_precisions(self, ranks: NDArray[np.int64]) -> float:
        """See `hashbench.evaluation.stable_order.sum_precisions`."""
        return self._counting.sum_precisions(ranks)

    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """Gains by rank up to ``limit``, equal distances as ``ties`` says."""
        if ties is Ties.STABLE:
            yield from self._counting.ranked_gains(
                start, stop, groups=groups, levels=self.levels, limit=limit
            )
            return
        for first, last in self._parts(start, stop):
            for counts in self._counting.histograms(first, last, self.levels):
                yield _written_out(counts, limit, largest_first=ties is Ties.BEST)


def rank_codes(
    query: Codes,
    database: Codes,
    relevance: Relevance,
    *,
    tool: Tool,
    device: str = "cpu",
) -> HammingRanking:
    """Rank binary codes; memory grows with the database by a few bytes an item and thread.

    Where all relevant items are ranked, each takes some bytes more.

    Args:
        query: Codes of the queries.
        database: Codes of the database, of the same length.
        relevance: Which items are relevant to which query.
        tool: What counts pairs on the CPU; the numbers are the same.
        device: Where pairs are counted; a CUDA device counts for one thread.

    Raises:
        DataError: If the two code lengths differ.
    """
    check_same_bits(query.bits, database.bits)
    return HammingRanking(
        make_counting(query, database, relevance, tool=tool, device=device),
        queries=len(query),
        items=len(database),
        bits=database.bits,
        levels=relevance.levels,
        concurrent=device == "cpu",
    )


def check_same_bits(query: int, database: int) -> None:
    """Raise DataError if queries and database have codes of different length."""
    if query != database:
        raise DataError(f"codes: queries have {query} bits, the database {database}")


def make_counting(
    query: Codes, database: Codes, relevance: Relevance, *, tool: Tool, device: str = "cpu"
) -> Counting:
    """Choose the implementation of `Counting` for a tool and a device."""
    if device != "cpu":
        import torch

        from hashbench.evaluation.device_counting import DeviceCounting

        return DeviceCounting(query, database, relevance, device=torch.device(device))
    counting = CompiledCounting if tool == Tool.NUMBA else NumpyCounting
    return counting(query, database, relevance)


def _written_out(
    counts: NDArray[np.int64], limit: int, *, largest_first: bool
) -> NDArray[np.int64]:
    """Gains by rank, inside a tie by falling or by rising gain, from a histogram (levels, radii).

    Returns:
        int64 (min(limit, N),).
    """
    gains = np.arange(len(counts))
    step = -1 if largest_first else 1
    ends = np.minimum(counts[::step].T.ravel().cumsum(), limit)
    return np.repeat(np.tile(gains[::step], counts.shape[1]), np.diff(ends, prepend=0))
