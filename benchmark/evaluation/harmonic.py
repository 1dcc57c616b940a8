"""Differences of harmonic numbers at full relative accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SERIES_FROM = 32  # from here on four correction terms reach the last bit of a double
_CORRECTION = (1 / 24, -7 / 960, 31 / 8064, -127 / 30720)
# _DIRECT[i, j] = 1/(i+1) + ... + 1/j, each summed by itself: entries are never subtracted.
_DIRECT = np.array(
    [
        [math.fsum(1 / t for t in range(i + 1, j + 1)) for j in range(_SERIES_FROM + 1)]
        for i in range(_SERIES_FROM + 1)
    ]
)


def harmonic_step(start: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    """Sum 1/(start+1) + ... + 1/(start+count), element by element.

    Subtracting two harmonic numbers would lose as many digits as they share, so the terms up to
    32 are summed directly and the rest comes from the Euler-Maclaurin expansion about the midpoint
    z = N + 1/2: log1p(count / z) + c(N + count) - c(N), c(N) = 1/(24 z^2) - 7/(960 z^4) + ...

    Args:
        start: Whole numbers of at least 0, of any shape.
        count: Whole numbers of at least 0, of the same shape.

    Returns:
        float64 of that shape; relative error of a few units in the last place.
    """
    end = start + count
    far = np.maximum(start, _SERIES_FROM)
    far_end = np.maximum(end, _SERIES_FROM)
    step = np.log1p((far_end - far) / (far + 0.5))
    step += _correction(far_end) - _correction(far)
    near = start < _SERIES_FROM
    if near.any():
        last = np.minimum(end, _SERIES_FROM)[near].astype(np.intp)
        step[near] += _DIRECT[start[near].astype(np.intp), last]
    return np.asarray(step)


def _correction(number: NDArray[Any]) -> NDArray[np.float64]:
    square = number + 0.5
    np.multiply(square, square, out=square)
    np.reciprocal(square, out=square)
    value = np.full(square.shape, _CORRECTION[-1])
    value *= square
    for coefficient in reversed(_CORRECTION[:-1]):
        value += coefficient
        value *= square
    return value
