"""What metrics need to know of a ranking, whatever it is made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Ties
from hashbench.evaluation.stable_order import sum_precisions
from hashbench.evaluation.tie_groups import GainGroups, TieGroups

Take = Callable[[int, NDArray[np.int64]], None]
"""What is given the position of a query, and the ranks of its relevant items."""


class Ranking(ABC):
    """The database ranked for each query: by Hamming distance, or by cosine.

    Attributes:
        items: Database size N.
        levels: Gains are whole numbers below this one.
        block: Queries whose tie groups are made at once; bounds the memory.
        concurrent: Whether several threads may ask for different blocks at once.
    """

    items: int
    levels: int
    block: int
    concurrent: bool = False

    @abstractmethod
    def groups(self, start: int, stop: int) -> TieGroups:
        """Tie groups of the queries ``start`` to ``stop - 1``."""

    @abstractmethod
    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Ranks of the relevant items, ties in the order of the database.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: Their tie groups.
            limit: Ranks above this one may be left out.

        Yields:
            For each query int64, ascending, from 1.
        """

    def groups_and_ranks(
        self, start: int, stop: int, take: Take, *, groups: TieGroups | None = None
    ) -> TieGroups:
        """Tie groups, and the ranks of all relevant items.

        Args:
            start: The first query.
            stop: The query after the last.
            take: Is given each query and the ranks of its relevant items, ascending, ties in the
                order of the database; the array may be used again after it has returned.
            groups: The tie groups, where they are known.
        """
        groups = self.groups(start, stop) if groups is None else groups
        found = self.hit_ranks(start, stop, groups=groups, limit=self.items)
        for query, ranks in enumerate(found, start):
            take(query, ranks)
        return groups

    def sum_precisions(self, ranks: NDArray[np.int64]) -> float:
        """See `hashbench.evaluation.stable_order.sum_precisions`."""
        return sum_precisions(ranks)

    @abstractmethod
    def gain_groups(self, start: int, stop: int) -> GainGroups:
        """Tie groups of the queries ``start`` to ``stop - 1``, with the gains in each."""

    @abstractmethod
    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, limit: int, ties: Ties
    ) -> Iterator[NDArray[np.int64]]:
        """Gains by rank.

        Args:
            start: The first query.
            stop: The query after the last.
            groups: Their tie groups.
            limit: Ranks above this one may be left out.
            ties: ``stable`` for the order of the database inside a tie, ``best`` for the largest
                gain first, ``worst`` for the smallest.

        Yields:
            For each query int64, from rank 1.
        """
