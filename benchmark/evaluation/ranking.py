"""The interface of rankings: tie groups, ranks and gains of each query, for the metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Ties
from hashbench.evaluation.stable_order import sum_precisions
from hashbench.evaluation.tie_groups import GainGroups, TieGroups

Take = Callable[[int, NDArray[np.int64]], None]
"""Called with the position of a query and the ranks of its relevant items."""


class Ranking(ABC):
    """The database ranked for each query: by Hamming distance, or by cosine.

    The *gain* of an item is the number of labels it shares with the query; the item is relevant
    where the gain is not 0.

    Attributes:
        items: Database size N.
        levels: Gains are whole numbers below this one.
        block: Queries handled together; bounds the memory.
        concurrent: Whether several threads may call it for different blocks at once.
        sum_precisions: Sums precisions at ranks; see `stable_order.sum_precisions`.
    """

    items: int
    levels: int
    block: int
    concurrent: bool = False
    sum_precisions: Callable[[NDArray[np.int64]], float] = staticmethod(sum_precisions)

    @abstractmethod
    def groups(self, start: int, stop: int) -> TieGroups:
        """Count the tie groups of the queries ``start`` to ``stop - 1``."""

    @abstractmethod
    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Count the tie groups of the queries ``start`` to ``stop - 1``, with the gains in each."""

    @abstractmethod
    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Rank the relevant items of each query, ties in the order of the database.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: The tie groups of these queries.
            limit: Ranks above this one may be left out.

        Yields:
            For each query int64, ascending, from 1.
        """

    def groups_and_ranks(
        self, start: int, stop: int, take: Take, *, groups: TieGroups | None = None
    ) -> TieGroups:
        """Count the tie groups and rank all relevant items, in one pass if that is possible.

        Args:
            start: The first query.
            stop: The query after the last.
            take: Called with each query and the ranks of its relevant items, as `hit_ranks` yields
                them; the array may be reused after it has returned.
            groups: The tie groups, where they are known.
        """
        groups = self.groups(start, stop) if groups is None else groups
        found = self.hit_ranks(start, stop, groups=groups, limit=self.items)
        for query, ranks in enumerate(found, start):
            take(query, ranks)
        return groups

    @abstractmethod
    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """List the gains of each query by rank.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: The tie groups of these queries.
            limit: Ranks above this one may be left out.
            ties: ``stable`` for the order of the database inside a tie, ``best`` for the largest
                gain first, ``worst`` for the smallest.

        Yields:
            For each query int64, from rank 1.
        """
