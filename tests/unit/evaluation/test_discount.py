"""Sums of the logarithmic discount against sums of single terms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hashbench.evaluation.series import discount_step, discounts

STARTS = [0, 1, 2, 30, 62, 63, 64, 65, 125, 126, 127, 1000, 54_000]
COUNTS = [0, 1, 2, 30, 62, 63, 64, 65, 700]


def step(start, count):
    return float(discount_step(np.array([float(start)]), np.array([float(count)]))[0])


def exact(start, count):
    return math.fsum(1 / math.log2(i + 1) for i in range(start + 1, start + count + 1))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("count", COUNTS)
def test_a_run_of_ranks_is_right_to_the_last_digits(start, count):
    assert step(start, count) == pytest.approx(exact(start, count), rel=1e-15, abs=0)


@pytest.mark.parametrize("start", [10**6, 2**30 - 2, 10**9, 10**12])
@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_short_run_far_down_keeps_its_relative_accuracy(start, count):
    # Subtracting two running sums of this size would leave a few digits or none.
    assert step(start, count) == pytest.approx(exact(start, count), rel=1e-15, abs=0)


@pytest.mark.parametrize(("start", "count"), [(0, 300_000), (63, 200_000), (100, 131_000)])
def test_a_long_run_is_cut_at_powers_of_two_without_a_seam(start, count):
    assert step(start, count) == pytest.approx(exact(start, count), rel=1e-15, abs=0)


def test_it_works_element_by_element_on_any_shape():
    start, count = np.meshgrid(np.arange(90.0), np.arange(40.0))
    found = discount_step(start, count)
    assert found.shape == (40, 90)
    assert found[2, 70] == pytest.approx(1 / math.log2(72) + 1 / math.log2(73), rel=1e-15)


def test_the_discount_of_the_first_ranks():
    assert list(discounts(3)) == [1, 1 / math.log2(3), 0.5]
