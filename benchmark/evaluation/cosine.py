"""Ranking of float embeddings by cosine, for the same metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Embeddings
from hashbench.core.errors import DataError
from hashbench.evaluation.names import Ties
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import GainGroups, TieGroups

_SCORES_AT_ONCE = 1 << 20  # 8 MB of float64
_MOST_QUERIES = 128
_ROWS_AT_ONCE = 1 << 13  # database rows widened to float64 at once
_SAME = 1e-12


class CosineRanking(Ranking):
    """A database of float embeddings, ranked by cosine; equal scores are ties.

    Scores are float64, and neighbouring ones that differ by less than 1e-12 are equal: a matrix
    product may add up in another order from one row to the next, so that equal embeddings differ in
    the last bits. An all-zero embedding has cosine 0 with everything.

    Raises:
        DataError: If the two widths differ.
    """

    def __init__(self, query: Embeddings, database: Embeddings, relevance: Relevance) -> None:
        widths = query.values.shape[1], database.values.shape[1]
        if widths[0] != widths[1]:
            raise DataError(f"embeddings: queries have width {widths[0]}, the database {widths[1]}")
        self._queries = _unit_rows(query.values)
        self._database = database.values
        self._relevance = relevance
        self.items = len(database)
        self.levels = relevance.levels
        self.block = max(1, min(_MOST_QUERIES, _SCORES_AT_ONCE // self.items))

    def _distances(self, start: int, stop: int) -> NDArray[np.float64]:
        """Compute minus the cosine, so that ascending is nearest first, (Q, N)."""
        distances = np.empty((stop - start, self.items))
        for low in range(0, self.items, _ROWS_AT_ONCE):
            rows = _unit_rows(self._database[low : low + _ROWS_AT_ONCE])
            distances[:, low : low + len(rows)] = -self._queries[start:stop] @ rows.T
        return distances

    def groups(self, start: int, stop: int) -> TieGroups:
        """Count tie groups by score; a row with fewer groups than another ends in empty ones."""
        order, number = _grouped(self._distances(start, stop))
        relevant = np.stack([self._relevance.row(query) for query in range(start, stop)])
        return _counted(number, np.take_along_axis(relevant, order, axis=1))

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Rank the relevant items up to ``limit``, equal scores in the order of the database."""
        del groups
        order, number = _grouped(self._distances(start, stop))
        for row, query in enumerate(range(start, stop)):
            by_position = np.lexsort((order[row], number[row]))[:limit]
            yield np.flatnonzero(self._relevance.row(query)[order[row, by_position]]) + 1

    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Count tie groups by score, with the gains in each."""
        order, number = _grouped(self._distances(start, stop))
        gains = np.stack([self._relevance.gains(query) for query in range(start, stop)])
        gains = np.take_along_axis(gains, order, axis=1)
        return GainGroups.from_items(_counted(number, gains > 0), number, gains, self.levels)

    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """List gains by rank up to ``limit``, equal scores in the order given by ``ties``."""
        del groups
        order, number = _grouped(self._distances(start, stop))
        for row, query in enumerate(range(start, stop)):
            gains = self._relevance.gains(query)[order[row]]
            inside = _order_in_tie(order[row], gains, ties)
            yield gains[np.lexsort((inside, number[row]))[:limit]].astype(np.int64)


def _grouped(
    distances: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort positions by distance, in no order inside a tie, and number their groups, (Q, N)."""
    order = distances.argsort(axis=1)
    steps = np.diff(np.take_along_axis(distances, order, axis=1), axis=1)
    number = np.zeros(order.shape, dtype=np.int64)
    np.cumsum(steps >= _SAME, axis=1, out=number[:, 1:])
    return order, number


def _counted(number: NDArray[np.int64], hits: NDArray[np.bool_]) -> TieGroups:
    """Count the items and the hits of every group, (Q, N) each."""
    queries, width = len(number), int(number.max()) + 1
    cell = number + np.arange(queries)[:, None] * width
    cells = queries * width
    sizes = np.bincount(cell.ravel(), minlength=cells).reshape(queries, width)
    found = np.bincount(cell[hits], minlength=cells).reshape(queries, width)
    return TieGroups.from_counts(sizes, found)


def _order_in_tie(
    positions: NDArray[np.int64], gains: NDArray[Any], ties: Ties
) -> NDArray[np.int64]:
    """Return the keys by which ``stable``, ``best`` or ``worst`` sort the items of a tie."""
    if ties is Ties.STABLE:
        return positions
    wide = gains.astype(np.int64)
    return -wide if ties is Ties.BEST else wide


def _unit_rows(values: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    wide /= np.where(norms > 0, norms, 1)
    return wide
