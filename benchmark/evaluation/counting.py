"""Counting pairs of a query and an item: the part of an evaluation that grows with both sides."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.ranking import Take
from hashbench.evaluation.stable_order import sum_precisions


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
        self,
        start: int,
        stop: int,
        *,
        items_before: NDArray[np.int64],
        hits_before: NDArray[np.int64],
        limit: int,
    ) -> list[NDArray[np.int64]]:
        """Ranks of relevant items, equal distances in database order.

        Args:
            start: The first query.
            stop: The query after the last.
            items_before: Their items at smaller distances, (Q, bits + 2) with all of them at the
                end.
            hits_before: Their relevant items at smaller distances, (Q, bits + 2).
            limit: Ranks above this one may be left out.

        Returns:
            For each query int64, ascending, from 1.
        """

    @abstractmethod
    def ranked_gains(
        self, query: int, items_before: NDArray[np.int64], *, levels: int, limit: int
    ) -> NDArray[np.int64]:
        """Gains by rank, equal distances in database order.

        Args:
            query: Position of the query.
            items_before: Its items at smaller distances, (bits + 2,) with all of them at the end.
            levels: Gains are below it.
            limit: How many ranks, at least 1.

        Returns:
            int64 (min(limit, N),).
        """

    def sum_precisions(self, ranks: NDArray[np.int64]) -> float:
        """See `hashbench.evaluation.stable_order.sum_precisions`."""
        return sum_precisions(ranks)


def last_distance(items_before: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """The distance that rank ``limit`` is at; the largest there is where that takes all items.

    Args:
        items_before: Items at smaller distances, (Q, bits + 2) with all of them at the end.
        limit: The rank, from 1.

    Returns:
        int64 (Q,).
    """
    items = items_before[:, -1]
    last = (items_before < np.minimum(items, limit)[:, None]).sum(axis=1) - 1
    everything = items_before[np.arange(len(last)), last + 1] == items
    return np.asarray(np.where(everything, items_before.shape[1] - 2, last))
