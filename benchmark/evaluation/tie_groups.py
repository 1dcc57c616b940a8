"""Tie groups: a ranking up to the order of equal distances, as counts of items, hits and gains.

All metrics but those with a fixed order inside ties are computed from these counts alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SHARED = 900
"""Labels that two images may share: 2^900 times any number of items is a finite double."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The tie group in which the first K ranks end, one for each query; float64 (Q,) unless stated.

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
        """Find the group in which the first K ranks end.

        Args:
            cutoff: K; None, or a K above the database, is the whole database.
        """
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


@dataclass(frozen=True, slots=True, eq=False)
class GainGroups:
    """Tie groups of Q queries, with sums of a gain g, the number of shared labels.

    Attributes:
        ties: Sizes and hits of the groups.
        gains: Sum of g in each group, float64 (Q, G).
        powers: Sum of 2^g - 1 in each group, float64 (Q, G).
        levels: Database items of every gain 0..L-1, float64 (Q, L).
    """

    ties: TieGroups
    gains: NDArray[np.float64]
    powers: NDArray[np.float64]
    levels: NDArray[np.float64]

    @classmethod
    def from_histograms(cls, histograms: Iterable[NDArray[np.int64]]) -> GainGroups:
        """Sum up histograms a part at a time: only sums are kept of each.

        Args:
            histograms: For some of the queries, in order, the items of every gain at every
                distance, (q, L, G).
        """
        parts = [_sums(counts) for counts in histograms]
        sizes, hits, gains, powers, levels = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        ties = TieGroups.from_counts(sizes, hits)
        return cls(ties, gains, powers, levels.astype(np.float64))

    @classmethod
    def from_items(
        cls, ties: TieGroups, number: NDArray[np.int64], gains: NDArray[Any], levels: int
    ) -> GainGroups:
        """Sum up items.

        Args:
            ties: Sizes and hits of the groups.
            number: Group of every item, (Q, N).
            gains: Gain of every item, (Q, N).
            levels: Gains are below this number.
        """
        queries, width = ties.sizes.shape
        rows = np.arange(queries)[:, None]
        cells = (number + rows * width).ravel()

        def summed(values: NDArray[Any]) -> NDArray[np.float64]:
            found = np.bincount(cells, weights=values.ravel(), minlength=queries * width)
            return found.reshape(queries, width).astype(np.float64, copy=False)

        counts = np.bincount((gains + rows * levels).ravel(), minlength=queries * levels)
        return cls(
            ties,
            summed(gains),
            summed(power(gains)),
            counts.reshape(queries, levels).astype(np.float64),
        )


def sums_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the values of all closer groups, (Q, G).

    This is never the running sum minus the last value: after a large group nothing would be left
    of a small sum.
    """
    found = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=found[:, 1:])
    return found


def power(gains: NDArray[Any]) -> NDArray[np.float64]:
    """Compute 2^g - 1 of whole numbers g, float64; exact up to g = 53, rounded above."""
    return np.asarray(np.exp2(np.minimum(gains.astype(np.float64), MOST_SHARED)) - 1)


def ratio(value: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide, and give 0 where the denominator is 0."""
    shape = np.broadcast_shapes(value.shape, by.shape)
    return np.divide(value, by, out=np.zeros(shape), where=by > 0)


def _with_end(before: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.int64]:
    end = before[:, -1:] + counts[:, -1:]
    return np.concatenate([before, end], axis=1).astype(np.int64)


def _sums(counts: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Compute sizes, hits, gains, powers and levels of histograms (q, L, G)."""
    gains = np.arange(counts.shape[1])
    sizes = counts.sum(axis=1)
    # Level by level: a sum in one order, whatever a matrix product would do.
    sums, powers = np.zeros_like(sizes), np.zeros(sizes.shape)
    for gain, weight in enumerate(power(gains)):
        sums += gain * counts[:, gain]
        powers += weight * counts[:, gain]
    return sizes, sizes - counts[:, 0], sums, powers, counts.sum(axis=2)
