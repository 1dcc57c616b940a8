"""Counting pairs of a query and an item: the part of an evaluation that grows with both sides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.ranking import Take
from hashbench.evaluation.stable_order import sum_precisions
from hashbench.evaluation.tie_groups import TieGroups


class Counting(ABC):
    """Counts of a database of codes, one query after another; safe to call from several threads.

    Every implementation gives the same whole numbers, so what is computed from them is the same
    too. The *gain* of an item is the number of labels it shares with the query; it is relevant
    where the gain is not 0.
    """

    @abstractmethod
    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """How many items of every gain are at every distance.

        Args:
            start: The first query.
            stop: The query after the last.
            levels: Gains are below it; with 2, what is counted is whether an item is relevant.

        Returns:
            int64 (Q, levels, bits + 1).
        """

    def histograms_and_ranks(self, start: int, stop: int, take: Take) -> NDArray[np.int64] | None:
        """Histograms by relevance and the ranks of all relevant items, if one pass gives both.

        Args:
            start: The first query.
            stop: The query after the last.
            take: Is given each query and the ranks of its relevant items, equal distances in
                database order; the array is used again after it has returned.

        Returns:
            int64 (Q, 2, bits + 1); None where it takes two passes.
        """
        del start, stop, take
        return None

    @abstractmethod
    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the ranks of the relevant items of each query, equal distances in database order.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: The tie groups of these queries.
            limit: Ranks above this one may be left out.

        Yields:
            For each query int64, ascending, from 1.
        """

    @abstractmethod
    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, levels: int, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the gains of each query by rank, equal distances in database order.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: The tie groups of these queries.
            levels: Gains are below it.
            limit: How many ranks, at least 1.

        Yields:
            For each query int64 (min(limit, N),).
        """

    def sum_precisions(self, ranks: NDArray[np.int64]) -> float:
        """See `hashbench.evaluation.stable_order.sum_precisions`."""
        return sum_precisions(ranks)
