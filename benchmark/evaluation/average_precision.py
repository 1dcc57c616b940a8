"""Average precision inside a cut, plain and weighted by gains, from tie groups alone.

Both have an expectation over all orders inside ties; plain average precision has bounds, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Div, Ties
from hashbench.evaluation.precision_sums import (
    Places,
    gain_sum,
    hypergeometric_weights,
    precision_sum,
)
from hashbench.evaluation.tie_groups import Cut, GainGroups, TieGroups, ratio, sums_before


class AveragePrecision:
    """AP@K of a block of queries, for any number of cuts.

    Where the cut splits a group and the denominator is the number of hits inside the cut, the
    expectation runs over that (hypergeometric) number and the bounds over each of its values: more
    hits can lower AP@K.

    Args:
        groups: The tie groups of the queries.
    """

    def __init__(self, groups: TieGroups) -> None:
        self._groups = groups
        self._with_hits = groups.hits > 0  # the others add nothing, and are most at long codes
        self._sums: dict[Ties, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._cuts: dict[int, Cut] = {}

    def at(self, cutoff: int | None, *, div: Div, ties: Ties) -> NDArray[np.float64]:
        """Compute AP@K of each query.

        Args:
            cutoff: K; None for the whole database.
            div: The denominator.
            ties: ``expected``, ``best`` or ``worst``.

        Returns:
            float64 (Q,); 0 where the denominator is 0.
        """
        closer, whole = self._precision_sums(ties)
        if cutoff is None or cutoff >= self._groups.items:  # no group is split: one denominator
            return ratio(whole, self._groups.totals)
        if cutoff not in self._cuts:
            self._cuts[cutoff] = self._groups.cut(cutoff)
        cut = self._cuts[cutoff]
        before = closer[np.arange(len(cut.index)), cut.index]
        if div is Div.MIN:
            places = cut.items_before + cut.kept
            total = before + _sum_in_cut(cut, ties)
            return ratio(total, np.minimum(places, self._groups.totals))
        if ties is Ties.EXPECTED:
            return _expected_over_hits(cut, before)
        return _best_over_hits(cut, before) if ties is Ties.BEST else _worst_over_hits(cut, before)

    def _precision_sums(self, ties: Ties) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum precisions at relevant ranks, over all closer groups, (Q, G), and over all, (Q,)."""
        if ties not in self._sums:
            groups = self._groups
            some = self._with_hits
            sizes = groups.sizes[some]
            places = Places(groups.items_before[some], groups.hits_before[some], sizes)
            whole = np.zeros(groups.sizes.shape)
            whole[some] = precision_sum(places, ties, size=sizes, hits=groups.hits[some])
            before = sums_before(whole)
            self._sums[ties] = before, before[:, -1] + whole[:, -1]
        return self._sums[ties]


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
        """Compute the sum over x of P(x) (A + S(x)) / (R + x), x the hits kept of the cut's group.

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


def _kept_places(cut: Cut) -> Places:
    return Places(cut.items_before, cut.hits_before, cut.kept)


def _sum_in_cut(cut: Cut, ties: Ties) -> NDArray[np.float64]:
    """Sum the precisions over the places that the cut keeps of its group, (Q,).

    With a fixed denominator the best order has as many hits inside the cut as possible, the worst
    as few; for the expectation the places are a random part of the group.
    """
    places = _kept_places(cut)
    if ties is Ties.EXPECTED:
        return precision_sum(places, ties, size=cut.size, hits=cut.hits)
    return _sum_given_hits(places, ties, cut.most if ties is Ties.BEST else cut.fewest)


def _sum_given_hits(places: Places, ties: Ties, hits: NDArray[np.float64]) -> NDArray[np.float64]:
    return precision_sum(places, ties, size=places.count, hits=hits)


def _expected_over_hits(cut: Cut, before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the sum over x of P(x) (A + S(x)) / (R + x), A the sum over closer groups, (Q,)."""
    hits, weights = hypergeometric_weights(cut.size, cut.hits, cut.kept)
    places = _kept_places(cut).as_column()
    sums = before[:, None] + _sum_given_hits(places, Ties.EXPECTED, hits)
    scores = ratio(sums, cut.hits_before[:, None] + hits)
    return np.asarray((weights * scores).sum(axis=1))


def _best_over_hits(cut: Cut, before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the largest (A + S(x)) / (R + x), (Q,).

    One more hit, after the others, adds a precision that grows with x. So once the mean of the
    precisions rises it goes on rising, and its maximum is at the fewest or at the most hits.
    """
    places = _kept_places(cut)
    ends = [
        ratio(before + _sum_given_hits(places, Ties.BEST, hits), cut.hits_before + hits)
        for hits in (cut.fewest, cut.most)
    ]
    return np.asarray(np.maximum(*ends))


def _worst_over_hits(cut: Cut, before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the smallest (A + S(x)) / (R + x), (Q,).

    One more hit, before the others, adds (R+1)/(N+m-x) and raises each of the x after it: an
    increment that grows with x. So the quotient falls, then rises, and bisection finds the turn.
    """
    places = _kept_places(cut)

    def score(hits: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = before + _sum_given_hits(places, Ties.WORST, hits)
        return ratio(sums, cut.hits_before + hits)

    low, high = cut.fewest, cut.most
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        rising = score(np.minimum(middle + 1, high)) >= score(middle)
        low, high = np.where(rising, low, middle + 1), np.where(rising, middle, high)
    return score(low)
