"""The rule ``ties=stable``: items of a tie in the order of a permutation fixed by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.layout import LANES
from hashbench.evaluation.names import Div, Family, Metric


def stable_order(items: int, seed: int) -> NDArray[np.int64]:
    """Make the permutation that breaks ties: position i of the order holds item ``order[i]``.

    It sorts raw output of PCG64, which numpy keeps the same from version to version; numpy's
    shuffling routines are allowed to change.

    Args:
        items: Database size N.
        seed: The protocol's seed, at least 0.

    Returns:
        int64 (N,).
    """
    raw = np.random.PCG64(seed).random_raw(items)
    order = np.argsort(raw)  # several times as fast as a stable sort, and the same but for ties
    found = raw[order]
    return np.argsort(raw, kind="stable") if (found[1:] == found[:-1]).any() else order


def sum_precisions(ranks: NDArray[np.int64]) -> float:
    """Sum 1 / ranks[0] + 2 / ranks[1] + 3 / ranks[2] + ..., the precision at every hit.

    Term i is added to the i-th of eight partial sums, modulo eight, and those are added in pairs.
    A processor can compute this order eight terms at a time, and every implementation can keep it,
    so that all sums agree to the last bit.

    Args:
        ranks: Ranks of hits, ascending from 1.
    """
    whole = -(-len(ranks) // LANES) * LANES
    precisions = np.zeros(whole)
    np.divide(np.arange(1.0, len(ranks) + 1), ranks, out=precisions[: len(ranks)])
    sums = precisions.reshape(-1, LANES).sum(axis=0)
    while len(sums) > 1:
        sums = sums[::2] + sums[1::2]
    return float(sums[0])


def score_hit_ranks(
    ranks: NDArray[np.int64],
    metric: Metric,
    *,
    total: float,
    items: int,
    sum_precisions: Callable[[NDArray[np.int64]], float],
) -> float:
    """Score one query whose items have a definite order.

    Args:
        ranks: Ranks of the relevant items, ascending from 1, up to the cut at least.
        metric: A ``map``, ``precision`` or ``recall`` metric with a cut.
        total: Relevant items in the database.
        items: Database size N.
        sum_precisions: Sums precisions; see `Ranking.sum_precisions`.

    Returns:
        The value of this query; 0 where its denominator is 0.
    """
    cutoff = items if metric.cutoff is None else metric.cutoff
    hits = len(ranks)
    if hits and ranks[-1] > cutoff:
        hits = int(ranks.searchsorted(cutoff, side="right"))
    if hits == 0:
        return 0.0
    if metric.family is Family.PRECISION:
        return hits / cutoff
    if metric.family is Family.RECALL:
        return hits / total
    divisor = hits if metric.div is Div.HITS else min(cutoff, total)
    return sum_precisions(ranks[:hits]) / divisor
