"""The Gaussians around the commonest distance, mirrored one by one as the method describes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses import ssdh
from hashbench.methods.losses.ssdh import HistogramRange, distance_spread

Array = NDArray[np.float64]


@pytest.fixture
def directions() -> Array:
    """Three groups of directions, so that distances have more than one mode."""
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(3, 6)), 20, axis=0) + 0.5 * rng.normal(size=(60, 6))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def mirrored(directions: Array, *, low: float, high: float, bins: int) -> tuple[float, ...]:
    """M, and mean and deviation of either side after mirroring, from the text of the method."""
    n = len(directions)
    d = np.array([1 - directions[i] @ directions[j] for i in range(n) for j in range(n) if i != j])
    counts, edges = np.histogram(d, bins=bins, range=(low, high))
    peak = edges[np.argmax(counts)]
    left, right = d[d <= peak], d[d > peak]
    left = np.concatenate([left, 2 * peak - left])
    right = np.concatenate([right, 2 * peak - right])
    return peak, left.mean(), left.std(), right.mean(), right.std()


@pytest.mark.parametrize("bins", [10, 100])
@pytest.mark.parametrize("over", list(HistogramRange))
def test_peak_and_deviations_are_those_of_the_mirrored_sides(
    over: HistogramRange, bins: int, directions: Array
) -> None:
    cosines = (directions @ directions.T)[~np.eye(60, dtype=bool)]
    assert (1 - cosines).max() > 1  # some are outside the unit range
    data = over is HistogramRange.DATA
    low, high = ((1 - cosines).min(), (1 - cosines).max()) if data else (0.0, 1.0)
    peak, left_mean, left, right_mean, right = mirrored(directions, low=low, high=high, bins=bins)

    found = distance_spread(torch.tensor(directions), bins=bins, over=over)

    assert found.peak == pytest.approx(peak, rel=1e-9)
    assert found.left == pytest.approx(left, rel=1e-9)
    assert found.right == pytest.approx(right, rel=1e-9)
    assert left_mean == pytest.approx(found.peak)  # why one mean is enough
    assert right_mean == pytest.approx(found.peak)


def test_rows_are_taken_in_blocks_with_the_same_result(
    directions: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = torch.tensor(directions)
    whole = distance_spread(g, bins=100, over=HistogramRange.DATA)
    monkeypatch.setattr(ssdh, "_BLOCK", 7)
    blocks = distance_spread(g, bins=100, over=HistogramRange.DATA)
    assert blocks.peak == pytest.approx(whole.peak)
    assert (blocks.left, blocks.right) == pytest.approx((whole.left, whole.right))


def test_a_case_worked_by_hand() -> None:
    # Distances of the pairs: 0 (rows 0 and 1, twice), 1 (four times), so with 2 bins on [0, 1] the
    # upper one is fuller: M = 1/2. Left: d - M = -1/2; right: +1/2.
    g = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = distance_spread(g, bins=2, over=HistogramRange.DATA)
    assert (found.peak, found.left, found.right) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("over", list(HistogramRange))
def test_equal_distances_have_no_spread_to_the_left_in_their_own_range(
    over: HistogramRange,
) -> None:
    found = distance_spread(torch.zeros(5, 3), bins=100, over=over)
    # Rows without a direction are at the distance 1, the last bin's edge is at 0.99.
    expected = (1.0, 0.0) if over is HistogramRange.DATA else (0.99, 0.01)
    assert (found.peak, found.right) == pytest.approx(expected)
    assert found.left == 0


def test_without_a_pair_nothing_is_sure() -> None:
    found = distance_spread(torch.ones(1, 3), bins=100, over=HistogramRange.DATA)
    assert math.isinf(found.left)
    assert math.isinf(found.right)
