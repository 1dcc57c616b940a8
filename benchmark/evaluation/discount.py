"""Sums of the logarithmic discount over a run of ranks, at full relative accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SERIES_FROM = 64  # from here on three correction terms reach the last bit of a double
_LAST_OCTAVE = 52  # ranks are whole numbers that a double holds
# Twelve nodes integrate 1/log2(x) over an octave to the last bit: the nearest singularity, x = 1,
# is far from the octave compared with its length.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# Factors of x^-1, x^-3 and x^-5, each a polynomial in 1/ln x from its second power upward.
_CORRECTION = (
    (1 / 24, (1.0,)),
    (-7 / 5760, (2.0, 6.0, 6.0)),
    (31 / 967680, (24.0, 100.0, 210.0, 240.0, 120.0)),
)


def discount_step(start: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    """Sum 1/log2(i + 1) over the ranks i = start+1 to start+count, element by element.

    Subtracting two entries of a table of running sums would lose as many digits as they share, and
    the table would grow with the database. So the first 64 ranks are summed directly and the rest
    comes from the Euler-Maclaurin expansion about the midpoints: with g(x) = 1/log2(x),

        sum over n = a+1 to b of g(n) = integral of g from a+1/2 to b+1/2
            - [g']/24 + 7 [g''']/5760 - 31 [g^(5)]/967680

    where the brackets are differences between the two ends. The integral is cut at powers of two.

    Args:
        start: Whole numbers of at least 0, of any shape.
        count: Whole numbers of at least 0, of the same shape; start + count below 2^52.

    Returns:
        float64 of that shape; relative error of a few units in the last place.
    """
    end = start + count
    low = np.minimum(start, _SERIES_FROM).astype(np.intp)
    middle = np.minimum(end, _SERIES_FROM).astype(np.intp)
    # Rank i has the discount g(i + 1), so the midpoints lie 1.5 above the ranks.
    left = np.maximum(start, _SERIES_FROM) + 1.5
    right = np.maximum(end, _SERIES_FROM) + 1.5
    tail = _integral(left, right) + (_correction(right) - _correction(left))
    return np.asarray(_DIRECT[low, middle] + tail)


def discounts(count: int) -> NDArray[np.float64]:
    """1/log2(i + 1) of the ranks i = 1 to ``count``, float64 (count,)."""
    return np.asarray(1 / np.log2(np.arange(2, count + 2)))


def _integral(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of 1/log2(x): up to the next power of two, whole octaves, and what is left."""
    first = np.frexp(left)[1] - 1  # 2^first <= left
    last = np.frexp(right)[1] - 1
    bend = np.minimum(np.ldexp(1.0, first + 1), right)
    resume = np.where(last > first, np.ldexp(1.0, last), right)
    whole: NDArray[np.float64] = _OCTAVES[first + 1, last]
    return _panel(left, bend) + whole + _panel(resume, right)


def _panel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of 1/log2(x) over at most one octave, by Gauss and Legendre."""
    half = (right - left) / 2
    centre = left + half
    total = np.zeros_like(half)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight / np.log2(centre + node * half)
    return total * half


def _correction(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """-g'/24 + 7 g'''/5760 - 31 g^(5)/967680 of g(x) = ln 2 / ln x."""
    inverse = 1 / np.log(x)
    total = np.zeros_like(inverse)
    for order, (factor, polynomial) in enumerate(_CORRECTION):
        value = np.zeros_like(inverse)
        for coefficient in reversed(polynomial):
            value = (value + coefficient) * inverse
        total += factor * value * inverse / x ** (2 * order + 1)
    return math.log(2) * total


def _run_sums(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entry [i, j]: the sum of terms i to j-1, each summed by itself; 0 where j <= i."""
    places = range(len(terms) + 1)
    return np.array([[math.fsum(terms[i:j]) for j in places] for i in places])


_DIRECT = _run_sums(discounts(_SERIES_FROM))
_POWERS = np.ldexp(1.0, np.arange(_LAST_OCTAVE + 1))
# The first octaves are too near the singularity to be right, and the series begins above them.
_OCTAVES = _run_sums(_panel(_POWERS[:-1], _POWERS[1:]))
