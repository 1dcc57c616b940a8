"""Ranking by Hamming distance: histograms over distance and relevance, or distance and gain."""

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
_PAIRS_AT_ONCE = 1 << 24  # some milliseconds: far more than the cost of a block itself
_BLOCKS_AT_LEAST = 4  # work for this many threads, where there are enough pairs
_BLOCKS_ENOUGH = 16  # more would only add costs


class HammingRanking(Ranking):
    """A database of codes, ranked by a Counting of its pairs with the queries.

    Args:
        counting: Counts the pairs.
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
        self.sum_precisions = counting.sum_precisions
        self._radii = bits + 1
        self.items = items
        self.levels = levels
        self.concurrent = concurrent
        self.block = self._block(queries)

    def _block(self, queries: int) -> int:
        """Divide the queries into blocks of even size; they do not depend on threads or tool."""
        most = max(1, _CELLS_AT_ONCE // max(self._radii, self.levels))
        pairs = queries * self.items
        blocks = max(-(-queries // most), min(-(-pairs // _PAIRS_AT_ONCE), _BLOCKS_ENOUGH))
        if blocks > 1:
            blocks = -(-blocks // _BLOCKS_AT_LEAST) * _BLOCKS_AT_LEAST
        return -(-queries // blocks)

    def groups(self, start: int, stop: int) -> TieGroups:
        """Count tie groups by distance: one for each of 0..bits, empty ones included."""
        return TieGroups.from_histograms(self._counting.histograms(start, stop, 2))

    def groups_and_ranks(
        self, start: int, stop: int, take: Take, *, groups: TieGroups | None = None
    ) -> TieGroups:
        """Count tie groups and rank all relevant items, in one pass if the counting can."""
        counts = self._counting.histograms_and_ranks(start, stop, take)
        if counts is None:
            return super().groups_and_ranks(start, stop, take, groups=groups)
        return TieGroups.from_histograms(counts)

    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Count tie groups by distance, with the gains in each."""
        return GainGroups.from_histograms(
            self._counting.histograms(first, last, self.levels)
            for first, last in self._parts(start, stop)
        )

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Divide a block into parts whose histograms by gain fit in the memory of a block."""
        step = max(1, _CELLS_AT_ONCE // (self._radii * self.levels))
        for first in range(start, stop, step):
            yield first, min(first + step, stop)

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Rank the relevant items, equal distances in the order of the database."""
        return self._counting.hit_ranks(start, stop, groups=groups, limit=limit)

    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """List gains by rank, equal distances in the order given by ``ties``."""
        if ties is Ties.STABLE:
            yield from self._counting.ranked_gains(
                start, stop, groups=groups, levels=self.levels, limit=limit
            )
            return
        for first, last in self._parts(start, stop):
            for counts in self._counting.histograms(first, last, self.levels):
                yield _gains_by_rank(counts, limit, largest_first=ties is Ties.BEST)


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
        relevance: Shared labels of queries and items.
        tool: Implementation that counts pairs on the CPU; the numbers are the same.
        device: Device on which pairs are counted; a CUDA device counts for one thread.

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


def _gains_by_rank(
    counts: NDArray[np.int64], limit: int, *, largest_first: bool
) -> NDArray[np.int64]:
    """List gains by rank, falling or rising inside ties, from a histogram (levels, radii)."""
    gains = np.arange(len(counts))
    step = -1 if largest_first else 1
    ends = np.minimum(counts[::step].T.ravel().cumsum(), limit)
    return np.repeat(np.tile(gains[::step], counts.shape[1]), np.diff(ends, prepend=0))
