"""Tie groups with the gains in them: all that graded metrics need of a ranking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.tie_groups import TieGroups

MOST_SHARED = 900
"""Labels that two images may share: 2^900 times any number of items is a finite double."""


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
            gains: Its gain, (Q, N).
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


def power(gains: NDArray[Any]) -> NDArray[np.float64]:
    """2^g - 1 of whole numbers g, float64; exact up to g = 53, rounded above."""
    return np.asarray(np.exp2(np.minimum(gains.astype(np.float64), MOST_SHARED)) - 1)


def _sums(counts: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Sizes, hits, gains, powers and levels of histograms (q, L, G)."""
    gains = np.arange(counts.shape[1])
    sizes = counts.sum(axis=1)
    # Level by level: a sum in one order, whatever a matrix product would do.
    sums, powers = np.zeros_like(sizes), np.zeros(sizes.shape)
    for gain, weight in enumerate(power(gains)):
        sums += gain * counts[:, gain]
        powers += weight * counts[:, gain]
    return sizes, sizes - counts[:, 0], sums, powers, counts.sum(axis=2)
