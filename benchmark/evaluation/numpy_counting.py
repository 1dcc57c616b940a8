"""Counting pairs with numpy alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.search.scan import PackedScan, nearest

_COUNTED_AT_ONCE = 1 << 16  # bincount widens its keys to 64 bits: 512 kB of them at most


class NumpyCounting(Counting):
    """Counts one query after another, with a few bytes of memory an item and thread."""

    def __init__(self, query: Codes, database: Codes, relevance: Relevance) -> None:
        self._queries = query.words()
        self._scan = PackedScan(database)
        self._relevance = relevance
        self._radii = database.bits + 1

    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """Count each query's items by a key made of gain and distance."""
        return np.stack([self._histogram(query, levels) for query in range(start, stop)])

    def _histogram(self, query: int, levels: int) -> NDArray[np.int64]:
        gains: NDArray[Any] = (
            self._relevance.row(query) if levels == 2 else self._relevance.gains(query)  # noqa: PLR2004 - relevant or not
        )
        cells = levels * self._radii
        key_type = np.min_scalar_type(cells - 1)
        keys = np.multiply(gains, self._radii, dtype=key_type)
        keys += self._scan.distances(self._queries[query])
        counts = np.zeros(cells, dtype=np.int64)
        for first in range(0, len(keys), _COUNTED_AT_ONCE):
            counts += np.bincount(keys[first : first + _COUNTED_AT_ONCE], minlength=cells)
        return counts.reshape(levels, self._radii)

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Select the nearest items of each query, and find the relevant ones among them."""
        del groups
        for query in range(start, stop):
            yield np.flatnonzero(self._relevance.row(query)[self._nearest(query, limit)]) + 1

    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, levels: int, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Select the nearest items of each query, and look up their gains."""
        del groups, levels
        for query in range(start, stop):
            yield self._relevance.gains(query)[self._nearest(query, limit)].astype(np.int64)

    def _nearest(self, query: int, limit: int) -> NDArray[np.int64]:
        return nearest(self._scan.distances(self._queries[query]), limit)
