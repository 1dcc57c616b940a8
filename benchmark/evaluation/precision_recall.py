"""Precision and recall inside a cut: expectation over tie orders, and bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Ties
from hashbench.evaluation.tie_groups import TieGroups


def hits_in_cut(groups: TieGroups, cutoff: int | None, *, ties: Ties) -> NDArray[np.float64]:
    """Relevant items among the first K.

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
