"""The sum of precisions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.stable_order import LANES

_BLOCK = 512  # precisions of a block stay in the first-level cache


@compiled
def sum_precisions(ranks: NDArray[np.int64]) -> float:
    """Sum precisions; adds in the very order of `hashbench.evaluation.stable_order`.

    Args:
        ranks: Ranks of hits, ascending from 1.
    """
    lanes, precisions = np.zeros(LANES), np.empty(_BLOCK)
    for start in range(0, ranks.shape[0], _BLOCK):
        block = ranks[start : start + _BLOCK]
        hits = block.shape[0]
        # Apart from the additions, so that the divisions become vector instructions.
        for j in range(hits):
            precisions[j] = (start + j + 1) / block[j]
        precisions[hits : -(-hits // LANES) * LANES] = 0
        for j in range(0, hits, LANES):
            for lane in range(LANES):
                lanes[lane] += precisions[j + lane]
    quarters = lanes[::2] + lanes[1::2]
    halves = quarters[::2] + quarters[1::2]
    return float(halves[0] + halves[1])
