"""Sums of 1/i against exact fractions, and of 1/log2(i + 1) against sums of single terms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hashbench.evaluation.series import discount_step, discounts, harmonic_step

HARMONIC_STARTS = [0, 1, 2, 7, 30, 31, 32, 33, 34, 100, 999, 54_000]
HARMONIC_COUNTS = [0, 1, 2, 5, 29, 32, 33, 64, 300]


@pytest.mark.parametrize("start", HARMONIC_STARTS)
@pytest.mark.parametrize("count", HARMONIC_COUNTS)
def test_the_sum_of_reciprocals_is_right_to_the_last_digits(start, count):
    exact = sum((Fraction(1, start + t) for t in range(1, count + 1)), Fraction(0))
    found = harmonic_step(np.array([float(start)]), np.array([float(count)]))[0]
    assert abs(Fraction(float(found)) - exact) <= exact * Fraction(1, 2**50)


@pytest.mark.parametrize("start", [10**6, 10**9, 10**12])
def test_one_step_from_a_large_number_keeps_its_relative_accuracy(start):
    # Subtracting two harmonic numbers of this size would leave four digits or none.
    found = harmonic_step(np.array([float(start)]), np.array([1.0]))[0]
    assert abs(Fraction(float(found)) * (start + 1) - 1) <= Fraction(1, 2**50)


def test_reciprocals_are_summed_element_by_element_on_any_shape():
    start, count = np.meshgrid(np.arange(50.0), np.arange(40.0))
    found = harmonic_step(start, count)
    assert found.shape == (40, 50)
    assert found[3, 2] == pytest.approx(1 / 3 + 1 / 4 + 1 / 5, rel=1e-15)


DISCOUNT_STARTS = [0, 1, 2, 30, 62, 63, 64, 65, 125, 126, 127, 1000, 54_000]
DISCOUNT_COUNTS = [0, 1, 2, 30, 62, 63, 64, 65, 700]


def discount_sum(start, count):
    return float(discount_step(np.array([float(start)]), np.array([float(count)]))[0])


def discount_exact(start, count):
    return math.fsum(1 / math.log2(i + 1) for i in range(start + 1, start + count + 1))


@pytest.mark.parametrize("start", DISCOUNT_STARTS)
@pytest.mark.parametrize("count", DISCOUNT_COUNTS)
def test_a_run_of_ranks_is_right_to_the_last_digits(start, count):
    assert discount_sum(start, count) == pytest.approx(
        discount_exact(start, count), rel=1e-15, abs=0
    )


@pytest.mark.parametrize("start", [10**6, 2**30 - 2, 10**9, 10**12])
@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_short_run_far_down_keeps_its_relative_accuracy(start, count):
    # Subtracting two running sums of this size would leave a few digits or none.
    assert discount_sum(start, count) == pytest.approx(
        discount_exact(start, count), rel=1e-15, abs=0
    )


@pytest.mark.parametrize(("start", "count"), [(0, 300_000), (63, 200_000), (100, 131_000)])
def test_a_long_run_is_cut_at_powers_of_two_without_a_seam(start, count):
    assert discount_sum(start, count) == pytest.approx(
        discount_exact(start, count), rel=1e-15, abs=0
    )


def test_discounts_are_summed_element_by_element_on_any_shape():
    start, count = np.meshgrid(np.arange(90.0), np.arange(40.0))
    found = discount_step(start, count)
    assert found.shape == (40, 90)
    assert found[2, 70] == pytest.approx(1 / math.log2(72) + 1 / math.log2(73), rel=1e-15)


def test_the_discount_of_the_first_ranks():
    assert list(discounts(3)) == [1, 1 / math.log2(3), 0.5]
