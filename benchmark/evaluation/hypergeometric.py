"""Hypergeometric weights around their mode, to full double accuracy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Hoeffding: P(|X - E X| >= w) <= 2 exp(-2 w^2 / s) for s draws, so beyond w = sqrt(s) * this all
# weights together are below 1e-20, far under a double's last bit of anything they multiply.
_WIDTH = math.sqrt(math.log(2 / 1e-20) / 2)


def hypergeometric_weights(
    size: NDArray[np.float64], hits: NDArray[np.float64], draws: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities of the number of hits among items drawn without replacement.

    Weights follow from the ratio of neighbours, outward from the mode, and are normalised: log
    gamma functions would lose five digits.

    Args:
        size: Items in each urn, whole numbers (Q,).
        hits: Hits in each urn, at most ``size``.
        draws: Items drawn, at most ``size``.

    Returns:
        Numbers of hits x and their probabilities, both float64 (Q, W). Impossible x have
        probability 0; those left out have less than 1e-20 together.
    """
    size, hits, draws = (column[:, None] for column in (size, hits, draws))
    mode = np.clip(
        np.floor((draws + 1) * (hits + 1) / (size + 2)),
        np.maximum(0, draws - (size - hits)),
        np.minimum(draws, hits),
    )
    spread = np.minimum(np.minimum(draws, size - draws), np.minimum(hits, size - hits))
    # The mode is within 1 of the mean.
    width = int(np.ceil(_WIDTH * np.sqrt(spread.max(initial=0)))) + 1
    steps = np.arange(width, dtype=np.float64)
    up, down = mode + steps, mode - steps
    misses_left = size - hits - draws
    # At the last possible x a factor is 0, and all weights beyond stay 0.
    rise = (hits - up) * (draws - up) / ((up + 1) * np.maximum(misses_left + up + 1, 1))
    fall = down * (misses_left + down) / ((hits - down + 1) * (draws - down + 1))
    weights = np.concatenate(
        [np.cumprod(fall, axis=1)[:, ::-1], np.ones_like(mode), np.cumprod(rise, axis=1)], axis=1
    )
    x = np.concatenate([down[:, ::-1] - 1, mode, up + 1], axis=1)
    return x, weights / weights.sum(axis=1, keepdims=True)
