"""The interface of countings: pairs of a query and an item, counted by distance and gain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.ranking import Take
from hashbench.evaluation.stable_order import sum_precisions
from hashbench.evaluation.tie_groups import TieGroups


class Counting(ABC):
    """Counts pairs of queries and a database of codes; the part of an evaluation that takes long.

    Every implementation gives the same whole numbers, so the values computed from them are the same
    too. Several threads may call it at once.

    Attributes:
        sum_precisions: Sums precisions at ranks; see `stable_order.sum_precisions`.
    """

    sum_precisions: Callable[[NDArray[np.int64]], float] = staticmethod(sum_precisions)

    @abstractmethod
    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """Count the items of every gain at every distance.

        Args:
            start: The first query.
            stop: The query after the last.
            levels: Gains are below it; 2 counts irrelevant and relevant items.

        Returns:
            int64 (Q, levels, bits + 1).
        """

    def histograms_and_ranks(self, start: int, stop: int, take: Take) -> NDArray[np.int64] | None:
        """Count items by relevance and rank all relevant ones, if one pass can do both.

        See `Ranking.groups_and_ranks` for the arguments.

        Returns:
            int64 (Q, 2, bits + 1); None where it takes two passes.
        """
        del start, stop, take
        return None

    @abstractmethod
    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Rank the relevant items of each query; see `Ranking.hit_ranks`."""

    @abstractmethod
    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, levels: int, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """List the gains of each query by rank, ties in the order of the database.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: The tie groups of these queries.
            levels: Gains are below it.
            limit: Number of ranks, at least 1.

        Yields:
            For each query int64 (min(limit, N),).
        """
