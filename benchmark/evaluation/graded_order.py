"""Graded metrics of one query whose items stand in a definite order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.discount import discounts
from hashbench.evaluation.gain_groups import power
from hashbench.evaluation.names import Family, Metric


def score_ranked_gains(
    gains: NDArray[np.int64], metric: Metric, *, ideal: float, items: int
) -> float:
    """Score one query.

    Args:
        gains: Gains by rank, up to the cut at least.
        metric: An ``ndcg``, ``acg`` or ``wap`` metric.
        ideal: DCG@K of the ideal order; only ``ndcg`` needs it.
        items: Database size N.

    Returns:
        The metric of this query; 0 where its denominator is 0.
    """
    cutoff = items if metric.cutoff is None else metric.cutoff
    inside = gains[:cutoff]
    if metric.family is Family.ACG:
        return float(inside.sum()) / cutoff
    if metric.family is Family.NDCG:
        discounted = float((power(inside) * discounts(len(inside))).sum())
        return discounted / ideal if ideal else 0.0
    hits = np.flatnonzero(inside)
    means = inside.cumsum()[hits] / (hits + 1)
    return float(means.mean()) if len(hits) else 0.0
