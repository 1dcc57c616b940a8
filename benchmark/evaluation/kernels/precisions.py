"""Sum of the precisions at relevant ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.kernels.compiled import compiled
from hashbench.evaluation.kernels.layout import LANES

_BLOCK = 512  # precisions of a block stay in the first-level cache


@compiled
def sum_precisions(ranks: NDArray[np.int64]) -> float:
    """Sum precisions in the same order of additions as `stable_order.sum_precisions`."""
    lanes, precisions = np.zeros(LANES), np.empty(_BLOCK)
    for start in range(0, ranks.shape[0], _BLOCK):
        block = ranks[start : start + _BLOCK]
        hits = block.shape[0]
        # A loop without the additions, so that the divisions become vector instructions.
        for j in range(hits):
            precisions[j] = (start + j + 1) / block[j]
        precisions[hits : -(-hits // LANES) * LANES] = 0
        for j in range(0, hits, LANES):
            for lane in range(LANES):
                lanes[lane] += precisions[j + lane]
    quarters = lanes[::2] + lanes[1::2]
    halves = quarters[::2] + quarters[1::2]
    return float(halves[0] + halves[1])
