"""Scores of the graded metrics, filled block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.evaluation.average_precision import ratio
from hashbench.evaluation.cumulative_gain import CumulativeGain
from hashbench.evaluation.gain_groups import MOST_SHARED, GainGroups
from hashbench.evaluation.graded_order import score_ranked_gains
from hashbench.evaluation.names import Family, Metric, Ties
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.weighted_precision import WeightedPrecision


class GradedScores:
    """Fills in NDCG, ACG and WAP.

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
        """Score the queries ``start`` to ``stop - 1``, whose tie groups these are."""
        gain = CumulativeGain(groups)
        self._add_expected(groups, gain, slice(start, stop))
        for ties in (Ties.STABLE, Ties.BEST, Ties.WORST):
            wanted = [metric for metric in self._scores if metric.ties is ties]
            if wanted:
                ranked = self._ranking.ranked_gains(
                    start, stop, groups=groups.ties, limit=self._limit(wanted), ties=ties
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
        """Score metrics that share a rule for ties, from gains in the order it fixes."""
        ideals = {m: gain.ideal(m.cutoff) for m in metrics if m.family is Family.NDCG}
        for row, gains in enumerate(ranked):
            for metric in metrics:
                ideal = float(ideals[metric][row]) if metric in ideals else 0.0
                self._scores[metric][start + row] = score_ranked_gains(
                    gains, metric, ideal=ideal, items=self._ranking.items
                )

    def _limit(self, metrics: Sequence[Metric]) -> int:
        return max(metric.cutoff or self._ranking.items for metric in metrics)
