"""Tie groups: a ranking up to the order of equal distances, as counts of items and hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The group in which the first K ranks end, for each of Q queries; float64 (Q,) unless stated.

    Attributes:
        index: Position of the group, int64 (Q,).
        items_before: Items in closer groups.
        hits_before: Relevant items in closer groups.
        size: Items in the group.
        hits: Relevant items in the group.
        kept: Places of the group that are inside the cut; all of them when K ends with the group.
    """

    index: NDArray[np.int64]
    items_before: NDArray[np.float64]
    hits_before: NDArray[np.float64]
    size: NDArray[np.float64]
    hits: NDArray[np.float64]
    kept: NDArray[np.float64]

    @property
    def fewest(self) -> NDArray[np.float64]:
        """The fewest of the group's hits that any order puts inside the cut, (Q,)."""
        return np.maximum(0, self.kept - (self.size - self.hits))

    @property
    def most(self) -> NDArray[np.float64]:
        """The most of the group's hits that any order puts inside the cut, (Q,)."""
        return np.minimum(self.kept, self.hits)


def sums_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the closer groups' values, (Q, G).

    Never the running sum minus the last value: behind a large group nothing would be left of a
    small sum.
    """
    found = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=found[:, 1:])
    return found


def _with_end(before: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.int64]:
    end = before[:, -1:] + counts[:, -1:]
    return np.concatenate([before, end], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TieGroups:
    """Groups of equal distance, closest first, of Q queries over the same database.

    Attributes:
        sizes: Items in each group, float64 (Q, G) of whole numbers; a group may be empty.
        hits: Relevant items in each group, float64 (Q, G).
        items_before: Items in closer groups, float64 (Q, G).
        hits_before: Relevant items in closer groups, float64 (Q, G).
    """

    sizes: NDArray[np.float64]
    hits: NDArray[np.float64]
    items_before: NDArray[np.float64]
    hits_before: NDArray[np.float64]

    @classmethod
    def from_counts(cls, sizes: NDArray[Any], hits: NDArray[Any]) -> TieGroups:
        """Add the running counts.

        Args:
            sizes: Items in each group, whole numbers (Q, G), with the same sum in each row.
            hits: Relevant items in each group, (Q, G).
        """
        sizes, hits = sizes.astype(np.float64), hits.astype(np.float64)
        return cls(sizes, hits, sums_before(sizes), sums_before(hits))

    @classmethod
    def from_histograms(cls, counts: NDArray[np.int64]) -> TieGroups:
        """Count items and hits in histograms over gain and distance, (Q, levels, G)."""
        sizes = counts.sum(axis=1)
        return cls.from_counts(sizes, sizes - counts[:, 0])

    @property
    def totals(self) -> NDArray[np.float64]:
        """Relevant items in the database, (Q,)."""
        return self.hits_before[:, -1] + self.hits[:, -1]

    @property
    def items(self) -> int:
        """Items in the database, N."""
        return int(self.items_before[0, -1] + self.sizes[0, -1])

    def items_up_to(self) -> NDArray[np.int64]:
        """Items in groups closer than each, and in all groups at the end, int64 (Q, G + 1)."""
        return _with_end(self.items_before, self.sizes)

    def hits_up_to(self) -> NDArray[np.int64]:
        """Relevant items in groups closer than each, and in all, int64 (Q, G + 1)."""
        return _with_end(self.hits_before, self.hits)

    def cut(self, cutoff: int | None) -> Cut:
        """Where the first K ranks end; None, or a K above the database, is the whole database."""
        places = self.items if cutoff is None else min(cutoff, self.items)
        index = (self.items_before + self.sizes >= places).argmax(axis=1)
        rows = np.arange(len(index))
        before = self.items_before[rows, index]
        return Cut(
            index=index,
            items_before=before,
            hits_before=self.hits_before[rows, index],
            size=self.sizes[rows, index],
            hits=self.hits[rows, index],
            kept=places - before,
        )
