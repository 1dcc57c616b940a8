"""Graded metrics: NDCG, ACG and WAP of each query, from gains in tie groups or by rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.evaluation.average_precision import WeightedPrecision
from hashbench.evaluation.names import Family, Metric, Ties
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.series import discount_step, discounts
from hashbench.evaluation.tie_groups import MOST_SHARED, GainGroups, power, ratio, sums_before


class GradedScores:
    """The scores of the graded metrics, filled in block by block.

    Args:
        ranking: The ranked database.
        scores: For each graded metric the float64 (Q,) to be filled.

    Raises:
        DataError: If NDCG is wanted and images share so many labels that 2^g is no finite double.
    """

    def __init__(self, ranking: Ranking, scores: Mapping[Metric, NDArray[np.float64]]) -> None:
        self._ranking = ranking
        self._scores = scores
        ndcg = [metric for metric in scores if metric.family is Family.NDCG]
        if ndcg and ranking.levels - 1 > MOST_SHARED:
            raise DataError(
                f"metric '{ndcg[0].name}': images share up to {ranking.levels - 1} labels, and its "
                f"gain 2^g - 1 is computed up to {MOST_SHARED}; leave it out, or write acg"
            )

    def add(self, groups: GainGroups, start: int, stop: int) -> None:
        """Score the queries ``start`` to ``stop - 1`` from their tie groups."""
        gain = CumulativeGain(groups)
        self._add_expected(groups, gain, slice(start, stop))
        for ties in (Ties.STABLE, Ties.BEST, Ties.WORST):
            wanted = [metric for metric in self._scores if metric.ties is ties]
            if wanted:
                limit = max(metric.cutoff or self._ranking.items for metric in wanted)
                ranked = self._ranking.ranked_gains(
                    start, stop, groups=groups.ties, limit=limit, ties=ties
                )
                self._add_ordered(wanted, gain, ranked, start=start)

    def _add_expected(self, groups: GainGroups, gain: CumulativeGain, rows: slice) -> None:
        wanted = {m: scores for m, scores in self._scores.items() if m.ties is Ties.EXPECTED}
        weighted: WeightedPrecision | None = None
        for metric, scores in wanted.items():
            if metric.family is Family.NDCG:
                ideal = gain.ideal(metric.cutoff)
                scores[rows] = ratio(gain.discounted(metric.cutoff), ideal)
            elif metric.family is Family.ACG:
                scores[rows] = gain.plain(metric.cutoff) / (metric.cutoff or groups.ties.items)
            else:
                weighted = weighted or WeightedPrecision(groups)
                scores[rows] = weighted.expected(metric.cutoff)

    def _add_ordered(
        self,
        metrics: Sequence[Metric],
        gain: CumulativeGain,
        ranked: Iterable[NDArray[np.int64]],
        *,
        start: int,
    ) -> None:
        """Score metrics with the same rule for ties from gains in the order that it fixes."""
        ideals = {m: gain.ideal(m.cutoff) for m in metrics if m.family is Family.NDCG}
        for row, gains in enumerate(ranked):
            for metric in metrics:
                ideal = float(ideals[metric][row]) if metric in ideals else 0.0
                cutoff = metric.cutoff or self._ranking.items
                self._scores[metric][start + row] = _score(gains[:cutoff], metric, cutoff, ideal)


def _score(gains: NDArray[np.int64], metric: Metric, cutoff: int, ideal: float) -> float:
    """Score one query by its gains up to the cut; 0 where the denominator is 0."""
    if metric.family is Family.ACG:
        return float(gains.sum()) / cutoff
    if metric.family is Family.NDCG:
        discounted = float((power(gains) * discounts(len(gains))).sum())
        return discounted / ideal if ideal else 0.0
    hits = np.flatnonzero(gains)
    means = gains.cumsum()[hits] / (hits + 1)
    return float(means.mean()) if len(hits) else 0.0


class CumulativeGain:
    """Expected CG@K and DCG@K of a block of queries, and the ideal DCG@K, for any number of cuts.

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
        """DCG of all closer groups, (Q, G); computed once for all cuts."""
        if self._discounted_before is None:
            ties, powers = self._groups.ties, self._groups.powers
            whole = np.zeros_like(powers)
            some = powers > 0  # most groups of a float ranking have no gain and need no logarithm
            steps = discount_step(ties.items_before[some], ties.sizes[some])
            whole[some] = powers[some] / ties.sizes[some] * steps
            self._discounted_before = sums_before(whole)
        return self._discounted_before
