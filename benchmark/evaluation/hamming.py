"""Ranking by Hamming distance: one histogram over distance and relevance, or gain, a query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.gain_groups import GainGroups
from hashbench.evaluation.names import Ties
from hashbench.evaluation.ranking import Ranking, order_in_tie, ranks_of
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.search.scan import PackedScan
from hashbench.search.select import nearest

_COUNTED_AT_ONCE = 1 << 16  # bincount widens its keys to 64 bits: 512 kB of them at most
_CELLS_AT_ONCE = 1 << 17  # histogram cells of a block of queries: 1 MB of float64


class HammingRanking(Ranking):
    """Binary codes; memory grows with the database by a few bytes an item, for one query only.

    Args:
        query: Codes of the queries.
        database: Codes of the database, of the same length.
        relevance: Who is relevant to whom.

    Raises:
        DataError: If the two code lengths differ.
    """

    def __init__(self, query: Codes, database: Codes, relevance: Relevance) -> None:
        if query.bits != database.bits:
            raise DataError(f"codes: queries have {query.bits} bits, the database {database.bits}")
        self._queries = query.words()
        self._scan = PackedScan(database)
        self._relevance = relevance
        self._radii = database.bits + 1
        self.items = len(database)
        self.levels = relevance.levels
        self.block = max(1, _CELLS_AT_ONCE // max(self._radii, self.levels))

    def groups(self, start: int, stop: int) -> TieGroups:
        """Tie groups by distance: one for each of 0..bits, empty ones included."""
        rows = (self._relevance.row(query) for query in range(start, stop))
        counts = np.stack(
            [self._histogram(query, row, 2) for query, row in enumerate(rows, start=start)]
        )
        return TieGroups.from_counts(counts.sum(axis=1), counts[:, 1])

    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Tie groups by distance with the gains in each; one histogram over both a query."""
        return GainGroups.from_histograms(
            self._histogram(query, self._relevance.gains(query), self.levels)
            for query in range(start, stop)
        )

    def _histogram(self, query: int, levels: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Items of every level below ``count`` at every distance, (count, radii)."""
        cells = count * self._radii
        key_type = np.min_scalar_type(cells - 1)
        keys = np.multiply(levels, self._radii, dtype=key_type)
        keys += self._scan.distances(self._queries[query])
        counts = np.zeros(cells, dtype=np.int64)
        for start in range(0, self.items, _COUNTED_AT_ONCE):
            part = keys[start : start + _COUNTED_AT_ONCE]
            counts += np.bincount(part, minlength=cells)
        return counts.reshape(count, self._radii)

    def hit_ranks(self, start: int, stop: int, *, limit: int) -> Iterator[NDArray[np.int64]]:
        """Ranks of relevant items up to ``limit``, equal distances in database order."""
        for query in range(start, stop):
            order = nearest(self._scan.distances(self._queries[query]), limit)
            yield ranks_of(self._relevance.row(query)[order])

    def ranked_gains(
        self, start: int, stop: int, *, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """Gains by rank up to ``limit``, equal distances as ``ties`` says."""
        for query in range(start, stop):
            distances = self._scan.distances(self._queries[query])
            gains = self._relevance.gains(query)
            order = nearest(distances, limit)
            if ties is not Ties.STABLE:
                within = np.flatnonzero(distances <= distances[order[-1]])
                inside = order_in_tie(within, gains[within], ties)
                order = within[np.lexsort((inside, distances[within]))[:limit]]
            yield gains[order].astype(np.int64)
