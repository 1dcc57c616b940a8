"""Sums of 1/i and of 1/log2(i + 1) over a run of ranks, at full relative accuracy.

Subtracting two entries of a table of running sums would lose as many digits as they share, and the
table would grow with the database. So the first terms are added directly, and the others come from
the Euler-Maclaurin expansion about the midpoints.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HARMONIC_FROM = 32  # from here on four correction terms reach the last bit of a double
_HARMONIC_CORRECTION = (1 / 24, -7 / 960, 31 / 8064, -127 / 30720)

_DISCOUNT_FROM = 64  # from here on three correction terms reach the last bit of a double
_LAST_OCTAVE = 52  # ranks are whole numbers that a double holds
# Twelve nodes integrate 1/log2(x) over an octave to the last bit: the nearest singularity, x = 1,
# is far from the octave compared with its length.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# Factors of x^-1, x^-3 and x^-5, each a polynomial in 1/ln x from its second power upward.
_DISCOUNT_CORRECTION = (
    (1 / 24, (1.0,)),
    (-7 / 5760, (2.0, 6.0, 6.0)),
    (31 / 967680, (24.0, 100.0, 210.0, 240.0, 120.0)),
)


def harmonic_step(start: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    """Sum 1/(start+1) + ... + 1/(start+count), element by element.

    The terms up to 32 are added directly; with z = N + 1/2 the others are
    log1p(count / z) + c(N + count) - c(N), c(N) = 1/(24 z^2) - 7/(960 z^4) + ...

    Args:
        start: Whole numbers of at least 0, of any shape.
        count: Whole numbers of at least 0, of the same shape.

    Returns:
        float64 of that shape; relative error of a few units in the last place.
    """
    end = start + count
    far = np.maximum(start, _HARMONIC_FROM)
    far_end = np.maximum(end, _HARMONIC_FROM)
    step = np.log1p((far_end - far) / (far + 0.5))
    step += _harmonic_correction(far_end) - _harmonic_correction(far)
    near = start < _HARMONIC_FROM
    if near.any():
        last = np.minimum(end, _HARMONIC_FROM)[near].astype(np.intp)
        step[near] += _HARMONIC_SUMS[start[near].astype(np.intp), last]
    return np.asarray(step)


def _harmonic_correction(number: NDArray[Any]) -> NDArray[np.float64]:
    square = number + 0.5
    np.multiply(square, square, out=square)
    np.reciprocal(square, out=square)
    value = np.full(square.shape, _HARMONIC_CORRECTION[-1])
    value *= square
    for coefficient in reversed(_HARMONIC_CORRECTION[:-1]):
        value += coefficient
        value *= square
    return value


def discount_step(start: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    """Sum 1/log2(i + 1) over the ranks i = start+1 to start+count, element by element.

    The first 64 ranks are added directly; with g(x) = 1/log2(x) the others are

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
    low = np.minimum(start, _DISCOUNT_FROM).astype(np.intp)
    middle = np.minimum(end, _DISCOUNT_FROM).astype(np.intp)
    # Rank i has the discount g(i + 1), so the midpoints lie 1.5 above the ranks.
    left = np.maximum(start, _DISCOUNT_FROM) + 1.5
    right = np.maximum(end, _DISCOUNT_FROM) + 1.5
    tail = _integral(left, right) + (_discount_correction(right) - _discount_correction(left))
    return np.asarray(_DISCOUNT_SUMS[low, middle] + tail)


def discounts(count: int) -> NDArray[np.float64]:
    """Return 1/log2(i + 1) for the ranks i = 1 to ``count``, float64 (count,)."""
    return np.asarray(1 / np.log2(np.arange(2, count + 2)))


def _integral(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate 1/log2(x) up to the next power of two, over whole octaves, and over the rest."""
    first = np.frexp(left)[1] - 1  # 2^first <= left
    last = np.frexp(right)[1] - 1
    bend = np.minimum(np.ldexp(1.0, first + 1), right)
    resume = np.where(last > first, np.ldexp(1.0, last), right)
    whole: NDArray[np.float64] = _OCTAVES[first + 1, last]
    return _panel(left, bend) + whole + _panel(resume, right)


def _panel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate 1/log2(x) over at most one octave, by Gauss-Legendre quadrature."""
    half = (right - left) / 2
    centre = left + half
    total = np.zeros_like(half)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight / np.log2(centre + node * half)
    return total * half


def _discount_correction(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute -g'/24 + 7 g'''/5760 - 31 g^(5)/967680 of g(x) = ln 2 / ln x."""
    inverse = 1 / np.log(x)
    total = np.zeros_like(inverse)
    for order, (factor, polynomial) in enumerate(_DISCOUNT_CORRECTION):
        value = np.zeros_like(inverse)
        for coefficient in reversed(polynomial):
            value = (value + coefficient) * inverse
        total += factor * value * inverse / x ** (2 * order + 1)
    return math.log(2) * total


def _run_sums(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum every run of terms by itself: entry [i, j] of terms i to j-1, 0 where j <= i."""
    places = range(len(terms) + 1)
    return np.array([[math.fsum(terms[i:j]) for j in places] for i in places])


_HARMONIC_SUMS = _run_sums(1 / np.arange(1, _HARMONIC_FROM + 1))
_DISCOUNT_SUMS = _run_sums(discounts(_DISCOUNT_FROM))
_POWERS = np.ldexp(1.0, np.arange(_LAST_OCTAVE + 1))
# The first octaves are too near the singularity to be right, and the series begins above them.
_OCTAVES = _run_sums(_panel(_POWERS[:-1], _POWERS[1:]))
