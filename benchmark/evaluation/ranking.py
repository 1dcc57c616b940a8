"""What metrics need to know of a ranking, whatever it is made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.tie_groups import TieGroups


class Ranking(ABC):
    """The database ranked for each query: by Hamming distance, or by cosine.

    Attributes:
        items: Database size N.
        block: Queries whose tie groups are made at once; bounds the memory.
    """

    items: int
    block: int

    @abstractmethod
    def groups(self, start: int, stop: int) -> TieGroups:
        """Tie groups of the queries ``start`` to ``stop - 1``."""

    @abstractmethod
    def hit_ranks(self, start: int, stop: int, *, limit: int) -> Iterator[NDArray[np.int64]]:
        """Ranks of the relevant items, ties in the order of the database.

        Args:
            start: The first query.
            stop: The query after the last.
            limit: Ranks above this one may be left out.

        Yields:
            For each query int64, ascending, from 1.
        """


def ranks_of(relevant_in_order: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ranks, from 1, of the relevant items of a ranked list."""
    return np.flatnonzero(relevant_in_order) + 1
