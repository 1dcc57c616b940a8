"""Cumulative gain inside a cut, plain and discounted: its expectation over ties, and the ideal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.discount import discount_step
from hashbench.evaluation.gain_groups import GainGroups, power
from hashbench.evaluation.tie_groups import sums_before


class CumulativeGain:
    """CG@K and DCG@K of a block of queries, for any number of cuts.

    Every place of a tie group has the group's mean gain in expectation, so nothing but sums over
    groups is needed, also where the cut splits one.

    Args:
        groups: The tie groups of the queries, with their gains.
    """

    def __init__(self, groups: GainGroups) -> None:
        self._groups = groups
        self._gains_before = sums_before(groups.gains)
        self._discounted_before: NDArray[np.float64] | None = None

    def plain(self, cutoff: int | None) -> NDArray[np.float64]:
        """Expected sum of the gains of the first K, float64 (Q,); ``cutoff`` None: of all."""
        cut = self._groups.ties.cut(cutoff)
        group = np.arange(len(cut.index)), cut.index
        return np.asarray(
            self._gains_before[group] + cut.kept / cut.size * self._groups.gains[group]
        )

    def discounted(self, cutoff: int | None) -> NDArray[np.float64]:
        """Expected sum of (2^g - 1) / log2(i + 1) over the ranks i up to K, float64 (Q,)."""
        cut = self._groups.ties.cut(cutoff)
        group = np.arange(len(cut.index)), cut.index
        last = self._groups.powers[group] / cut.size * discount_step(cut.items_before, cut.kept)
        return np.asarray(self._discounted_sums_before()[group] + last)

    def ideal(self, cutoff: int | None) -> NDArray[np.float64]:
        """Sum of (2^g - 1) / log2(i + 1) with the database by falling gain, float64 (Q,).

        It is 0 for a query without a relevant item, and for no other.
        """
        falling = self._groups.levels[:, ::-1]
        before = sums_before(falling)
        items = self._groups.ties.items
        places = items if cutoff is None else min(cutoff, items)
        steps = discount_step(before, np.clip(places - before, 0, falling))
        return np.asarray(steps @ power(np.arange(falling.shape[1])[::-1]))

    def _discounted_sums_before(self) -> NDArray[np.float64]:
        """DCG of all closer groups, (Q, G); made once for every cut."""
        if self._discounted_before is None:
            ties, powers = self._groups.ties, self._groups.powers
            whole = np.zeros_like(powers)
            some = powers > 0  # most groups of a float ranking have no gain and need no logarithm
            steps = discount_step(ties.items_before[some], ties.sizes[some])
            whole[some] = powers[some] / ties.sizes[some] * steps
            self._discounted_before = sums_before(whole)
        return self._discounted_before
