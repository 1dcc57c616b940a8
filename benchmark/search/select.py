"""The k nearest by (distance, position), without sorting everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.search.scan import Distances


def nearest(distances: Distances, k: int) -> NDArray[np.int64]:
    """Positions of the k smallest distances, ties by position.

    A threshold is found by bisection with counts of ``distances <= t``, each a pass at memory
    speed; only what is within it is sorted (stably: numpy sorts narrow integers by radix).

    Args:
        distances: uint8 or uint16 (N,).
        k: How many, at least 1.

    Returns:
        int64 (min(k, N),), nearest first.
    """
    if k >= len(distances):
        return np.argsort(distances, kind="stable")
    candidates = np.flatnonzero(distances <= _threshold(distances, k))
    order = np.argsort(distances[candidates], kind="stable")[:k]
    return candidates[order]


def _threshold(distances: Distances, k: int) -> int:
    """The smallest t with at least k distances of at most t."""
    low, high = int(distances.min()), int(distances.max())
    while low < high:
        middle = (low + high) // 2
        if np.count_nonzero(distances <= middle) >= k:
            high = middle
        else:
            low = middle + 1
    return low
