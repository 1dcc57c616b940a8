"""Differences of harmonic numbers against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hashbench.evaluation.series import harmonic_step

STARTS = [0, 1, 2, 7, 30, 31, 32, 33, 34, 100, 999, 54_000]
COUNTS = [0, 1, 2, 5, 29, 32, 33, 64, 300]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("count", COUNTS)
def test_the_sum_of_reciprocals_is_right_to_the_last_digits(start, count):
    exact = sum((Fraction(1, start + t) for t in range(1, count + 1)), Fraction(0))
    found = harmonic_step(np.array([float(start)]), np.array([float(count)]))[0]
    assert abs(Fraction(float(found)) - exact) <= exact * Fraction(1, 2**50)


@pytest.mark.parametrize("start", [10**6, 10**9, 10**12])
def test_one_step_from_a_large_number_keeps_its_relative_accuracy(start):
    # Subtracting two harmonic numbers of this size would leave four digits or none.
    found = harmonic_step(np.array([float(start)]), np.array([1.0]))[0]
    assert abs(Fraction(float(found)) * (start + 1) - 1) <= Fraction(1, 2**50)


def test_it_works_element_by_element_on_any_shape():
    start, count = np.meshgrid(np.arange(50.0), np.arange(40.0))
    found = harmonic_step(start, count)
    assert found.shape == (40, 50)
    assert found[3, 2] == pytest.approx(1 / 3 + 1 / 4 + 1 / 5, rel=1e-15)
