"""Precision and recall, inside a cut and inside Hamming balls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Ties
from hashbench.evaluation.tie_groups import TieGroups, ratio


def hits_in_cut(groups: TieGroups, cutoff: int | None, *, ties: Ties) -> NDArray[np.float64]:
    """Count the relevant items among the first K.

    Of a group that the cut splits, a random order keeps a share m/n of the hits, the best order as
    many and the worst as few as fit.

    Args:
        groups: The tie groups of the queries.
        cutoff: K; None for the whole database.
        ties: ``expected``, ``best`` or ``worst``.

    Returns:
        float64 (Q,).
    """
    cut = groups.cut(cutoff)
    if ties is Ties.EXPECTED:
        return np.asarray(cut.hits_before + cut.kept * cut.hits / cut.size)
    return cut.hits_before + (cut.most if ties is Ties.BEST else cut.fewest)


def ball_precision(groups: TieGroups) -> NDArray[np.float64]:
    """Precision within every radius 0..bits, (Q, bits + 1); an empty ball counts 0."""
    return ratio(groups.hits_before + groups.hits, groups.items_before + groups.sizes)


def ball_recall(groups: TieGroups) -> NDArray[np.float64]:
    """Recall within every radius 0..bits, (Q, bits + 1); 0 without a relevant item."""
    return ratio(groups.hits_before + groups.hits, groups.totals[:, None])


def eleven_points(groups: TieGroups, precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the interpolated precision at recall 0, 0.1, ..., 1.

    Interpolated: the highest precision within any radius whose recall is at least that. Which
    level a radius reaches is the whole part of 10 hits over relevant items: no rounding decides.

    Args:
        groups: The tie groups of the queries, one a radius.
        precision: Precision within every radius, (Q, radii).

    Returns:
        float64 (Q,); 0 without a relevant item.
    """
    tenfold, totals = 10 * (groups.hits_before + groups.hits), groups.totals[:, None]
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # A quotient of whole numbers below the next one is not rounded up to it.
    reached = np.floor(ratio(tenfold, totals))
    newly = np.diff(reached, axis=1, prepend=0)
    # Recall 0 is reached at once.
    return np.asarray((highest[:, 0] + (newly * highest).sum(axis=1)) / 11)


def curve_area(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average precision over radii: sum over r of (recall_r - recall_{r-1}) * precision_r.

    This is the area under the step curve, without interpolation between radii, as in scikit-learn's
    ``average_precision_score`` with distances as thresholds. The order of ties has no influence,
    because a ball contains a tie group entirely or not at all.

    Args:
        precision: Precision within every radius, (Q, radii).
        recall: Recall within every radius, (Q, radii).

    Returns:
        float64 (Q,).
    """
    return np.asarray((np.diff(recall, axis=1, prepend=0) * precision).sum(axis=1))
