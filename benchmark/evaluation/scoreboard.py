"""The scores of every metric and query, and the metric values averaged from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.evaluation.average_precision import AveragePrecision
from hashbench.evaluation.graded_scores import GradedScores
from hashbench.evaluation.names import Empty, Family, Metric, Ties
from hashbench.evaluation.precision_recall import (
    ball_precision,
    ball_recall,
    curve_area,
    eleven_points,
    hits_in_cut,
)
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.stable_order import score_hit_ranks
from hashbench.evaluation.tie_groups import TieGroups, ratio


@dataclass(frozen=True, slots=True, eq=False)
class MetricValue:
    """A metric's value, and the scores it is the mean of.

    Attributes:
        value: The mean over the queries that count.
        per_query: float64 (Q,), in query order; NaN where a query was left out.
        queries: Queries in the mean.
        without_relevant: Queries without a relevant item in the database, left out or not.
        curve: For ``pr@radii`` the arrays ``radius``, ``precision`` and ``recall``, (bits + 1,)
            each, means over the queries that count; else None.
    """

    value: float
    per_query: NDArray[np.float64]
    queries: int
    without_relevant: int
    curve: Mapping[str, NDArray[np.float64]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A block of queries that is counted and not yet scored, with its tie groups."""

    queries: slice
    groups: TieGroups


class Scoreboard:
    """Scores of every metric and query, filled block by block.

    Args:
        ranking: The ranked database.
        metrics: The metrics to compute, each once.
        queries: Number of queries Q.
    """

    def __init__(self, ranking: Ranking, metrics: Sequence[Metric], queries: int) -> None:
        self._ranking = ranking
        self._scores = {metric: np.empty(queries) for metric in metrics}
        self._totals = np.empty(queries)
        self._plain = {m: scores for m, scores in self._scores.items() if not m.graded}
        graded = {m: scores for m, scores in self._scores.items() if m.graded}
        self._graded = GradedScores(ranking, graded) if graded else None
        self._stable = [metric for metric in self._plain if metric.ties is Ties.STABLE]
        self._limit = max((m.cutoff or ranking.items for m in self._stable), default=0)
        self._curves: dict[int, NDArray[np.float64]] = {}

    def add(self, start: int, stop: int) -> None:
        """Score the queries ``start`` to ``stop - 1``; blocks may come in any order."""
        self.score(self.count(start, stop))

    def count(self, start: int, stop: int) -> Counted:
        """Count pairs, and score what needs ranks, for the queries ``start`` to ``stop - 1``.

        Several threads may count different blocks at once: compiled loops release the lock of the
        interpreter.
        """
        groups = None
        if self._graded is not None:
            graded = self._ranking.gain_groups(start, stop)
            self._graded.add(graded, start, stop)
            groups = graded.ties
        if self._limit >= self._ranking.items:
            take = self._add_all_ranks
            groups = self._ranking.groups_and_ranks(start, stop, take, groups=groups)
        elif groups is None:
            groups = self._ranking.groups(start, stop)
        if 0 < self._limit < self._ranking.items:
            self._add_first_ranks(groups, start, stop)
        return Counted(slice(start, stop), groups)

    def score(self, counted: Counted) -> None:
        """Score a block from its tie groups, once; for one thread at a time.

        Scoring holds the lock of the interpreter: two threads that score at once slow each other
        down by more than one saves.
        """
        groups, rows = counted.groups, counted.queries
        self._totals[rows] = groups.totals
        self._add_cuts(groups, rows)
        self._add_balls(groups, rows)

    def _add_cuts(self, groups: TieGroups, rows: slice) -> None:
        average_precision = AveragePrecision(groups)
        for metric, scores in self._plain.items():
            if metric.needs_codes or metric.ties is None or metric.ties is Ties.STABLE:
                continue
            if metric.div is not None:
                scores[rows] = average_precision.at(metric.cutoff, div=metric.div, ties=metric.ties)
                continue
            hits = hits_in_cut(groups, metric.cutoff, ties=metric.ties)
            if metric.family is Family.RECALL:
                scores[rows] = ratio(hits, groups.totals)
            else:
                scores[rows] = hits / (metric.cutoff or groups.items)

    def _add_balls(self, groups: TieGroups, rows: slice) -> None:
        wanted = {m: scores for m, scores in self._plain.items() if m.needs_codes}
        if not wanted:
            return
        precision, recall = ball_precision(groups), ball_recall(groups)
        for metric, scores in wanted.items():
            if metric.family is Family.PR11:
                scores[rows] = eleven_points(groups, precision)
            elif metric.family is Family.PR:
                scores[rows] = curve_area(precision, recall)
            else:
                balls = precision if metric.family is Family.PRECISION else recall
                scores[rows] = balls[:, min(metric.radius, balls.shape[1] - 1)]
        self._curves[rows.start] = np.stack([precision.sum(axis=0), recall.sum(axis=0)])

    def _add_first_ranks(self, groups: TieGroups, start: int, stop: int) -> None:
        found = self._ranking.hit_ranks(start, stop, groups=groups, limit=self._limit)
        for query, ranks, total in zip(range(start, stop), found, groups.totals, strict=True):
            self._add_ranks(query, ranks, total)

    def _add_all_ranks(self, query: int, ranks: NDArray[np.int64]) -> None:
        self._add_ranks(query, ranks, len(ranks))

    def _add_ranks(self, query: int, ranks: NDArray[np.int64], total: float) -> None:
        sums, items = self._ranking.sum_precisions, self._ranking.items
        for metric in self._stable:
            self._scores[metric][query] = score_hit_ranks(
                ranks, metric, total=total, items=items, sum_precisions=sums
            )

    def value(self, metric: Metric) -> MetricValue:
        """Average a metric over the queries, once all are scored.

        Raises:
            DataError: If the metric leaves out every query.
        """
        empty = self._totals == 0
        left_out = empty & (metric.empty is Empty.SKIP)
        queries = int(len(empty) - left_out.sum())
        if queries == 0:
            raise DataError(
                f"metric '{metric.name}': none of the {len(empty)} queries has a relevant item in "
                f"the database, so there is nothing to average; write empty=zero"
            )
        scores = np.where(left_out, np.nan, self._scores[metric])
        return MetricValue(
            value=float(scores[~left_out].mean()),
            per_query=scores,
            queries=queries,
            without_relevant=int(empty.sum()),
            curve=self._curve(queries) if metric.family is Family.PR else None,
        )

    def _curve(self, queries: int) -> dict[str, NDArray[np.float64]]:
        """Average precision and recall by radius; 0 for a query without a relevant item."""
        blocks = [self._curves[start] for start in sorted(self._curves)]
        precision, recall = np.sum(blocks, axis=0) / queries
        return {
            "radius": np.arange(len(precision), dtype=np.float64),
            "precision": precision,
            "recall": recall,
        }
