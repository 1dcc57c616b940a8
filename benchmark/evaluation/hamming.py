"""Ranking by Hamming distance: one histogram over (distance, relevance) a query."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.ranking import Ranking, ranks_of
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
        self._key_type = np.uint8 if 2 * self._radii <= np.iinfo(np.uint8).max else np.uint16
        self.items = len(database)
        self.block = max(1, _CELLS_AT_ONCE // self._radii)

    def groups(self, start: int, stop: int) -> TieGroups:
        """Tie groups by distance: one for each of 0..bits, empty ones included."""
        counts = np.stack([self._histogram(query) for query in range(start, stop)])
        irrelevant, hits = counts[:, : self._radii], counts[:, self._radii :]
        return TieGroups.from_counts(irrelevant + hits, hits)

    def _histogram(self, query: int) -> NDArray[np.int64]:
        distances = self._scan.distances(self._queries[query])
        steps = self._relevance.row(query) * self._key_type(self._radii)
        keys = np.add(distances, steps, dtype=self._key_type)
        counts = np.zeros(2 * self._radii, dtype=np.int64)
        for start in range(0, self.items, _COUNTED_AT_ONCE):
            part = keys[start : start + _COUNTED_AT_ONCE]
            counts += np.bincount(part, minlength=2 * self._radii)
        return counts

    def hit_ranks(self, start: int, stop: int, *, limit: int) -> Iterator[NDArray[np.int64]]:
        """Ranks of relevant items up to ``limit``, equal distances in database order."""
        for query in range(start, stop):
            order = nearest(self._scan.distances(self._queries[query]), limit)
            yield ranks_of(self._relevance.row(query)[order])
