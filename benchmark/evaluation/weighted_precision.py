"""Weighted average precision: the mean of ACG@i over the relevant ranks i inside a cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.average_precision import ratio
from hashbench.evaluation.gain_groups import GainGroups
from hashbench.evaluation.hypergeometric import hypergeometric_weights
from hashbench.evaluation.precision_sums import Places, gain_sum
from hashbench.evaluation.tie_groups import sums_before


class WeightedPrecision:
    """Expected WAP@K of a block of queries, for any number of cuts, divided by the hits in the cut.

    Given which places of a tie hold relevant items, their gains are in random order: each has the
    mean gain of the group's relevant items. So WAP is average precision with sums of gains for
    counts of hits, and where the cut splits a group the expectation runs over the number of hits
    inside, which is hypergeometric.

    Args:
        groups: The tie groups of the queries, with their gains.
    """

    def __init__(self, groups: GainGroups) -> None:
        ties = groups.ties
        self._ties = ties
        self._means = ratio(groups.gains, ties.hits)
        self._gains_before = sums_before(groups.gains)
        places = Places(ties.items_before, ties.hits_before, ties.sizes)
        self._before = sums_before(
            gain_sum(places, self._gains_before, self._means, size=ties.sizes, hits=ties.hits)
        )

    def expected(self, cutoff: int | None) -> NDArray[np.float64]:
        """Sum over x of P(x) (A + S(x)) / (R + x), x the hits that the cut keeps of its group.

        A is the sum over closer groups, R their hits.

        Args:
            cutoff: K; None for the whole database.

        Returns:
            float64 (Q,); 0 where no relevant item is inside the cut.
        """
        cut = self._ties.cut(cutoff)
        group = np.arange(len(cut.index)), cut.index
        gains_before, means, before = (
            values[group][:, None] for values in (self._gains_before, self._means, self._before)
        )
        hits, weights = hypergeometric_weights(cut.size, cut.hits, cut.kept)
        places = Places(cut.items_before, cut.hits_before, cut.kept).as_column()
        sums = before + gain_sum(places, gains_before, means, size=places.count, hits=hits)
        return np.asarray((weights * ratio(sums, places.hits_before + hits)).sum(axis=1))
