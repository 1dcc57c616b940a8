"""SSDH against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.ssdh import SSDH

Array = NDArray[np.float64]
IMAGES = 30


@pytest.fixture
def features() -> Array:
    """Three groups around points far from the origin."""
    rng = np.random.default_rng(2)
    middles = rng.normal(size=(3, 5)) + 3
    return np.tile(middles, (IMAGES // 3, 1)) + 0.5 * rng.normal(size=(IMAGES, 5))


@pytest.fixture
def wide() -> Array:
    """Outputs of the first 8 images."""
    return np.random.default_rng(5).normal(size=(8, 6))


@pytest.fixture
def no_labels() -> Array:
    return np.zeros((IMAGES, 3))


def similarity(
    f: Array, *, near: float = 2, far: float = 2, unit: bool = False, centre: bool = True
) -> Array:
    """S of all pairs, with both sides mirrored at the peak and a mean of its own for each."""
    g = f - f.mean(0) if centre else f.copy()
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    d = 1 - g @ g.T
    pairs = d[~np.eye(len(d), dtype=bool)]
    ends = (0.0, 1.0) if unit else (pairs.min(), pairs.max())
    counts, edges = np.histogram(pairs, bins=100, range=ends)
    peak = edges[np.argmax(counts)]
    left, right = pairs[pairs <= peak], pairs[pairs > peak]
    left = np.concatenate([left, 2 * peak - left])
    right = np.concatenate([right, 2 * peak - right])
    S = np.zeros_like(d)
    for i in range(len(d)):
        for j in range(len(d)):
            if d[i, j] < left.mean() - near * left.std():
                S[i, j] = 1
            elif d[i, j] > right.mean() + far * right.std():
                S[i, j] = -1
    return S


def ssdh(u: Array, S: Array, *, balanced: bool = False) -> float:
    h = np.tanh(u)
    sides: dict[float, list[float]] = {1.0: [], -1.0: []}
    for i in range(len(u)):
        for j in range(len(u)):
            if S[i, j] != 0:
                sides[S[i, j]].append((h[i] @ h[j] / u.shape[1] - S[i, j]) ** 2)
    if balanced:
        return float(sum(np.mean(side) for side in sides.values() if side))
    return float(sum(map(sum, sides.values())) / len(u) ** 2)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({"near": 1.0, "far": 1.0}, {"near": 1.0, "far": 1.0}),
        ({"near": 0.5, "far": 1.5}, {"near": 0.5, "far": 1.5}),
        (
            {"near": 1.0, "far": 1.0, "histogram": "unit"},
            {"near": 1.0, "far": 1.0, "unit": True},
        ),
        (
            {"near": 1.0, "far": 1.0, "centre": False},
            {"near": 1.0, "far": 1.0, "centre": False},
        ),
    ],
)
@pytest.mark.parametrize("pair_weight", ["none", "balanced"])
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    pair_weight: str,
    wide: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., SSDH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(SSDH, no_labels, bits=6, features=features, pair_weight=pair_weight, **params)
    S = similarity(features, **options)
    assert set(np.unique(S[:8, :8])) == {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(loss.similarity(torch.arange(IMAGES)).numpy(), S)
    result, balanced = run(loss, wide, no_labels[:8]), pair_weight == "balanced"
    assert result.total == pytest.approx(ssdh(wide, S[:8, :8], balanced=balanced), rel=1e-9)
    expected = differences(lambda u: ssdh(u, S[:8, :8], balanced=balanced), wide)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-8)


def test_defaults_are_two_deviations_on_each_side(
    features: Array, no_labels: Array, set_up: Callable[..., SSDH]
) -> None:
    loss = set_up(SSDH, no_labels, bits=6, features=features)
    found = loss.similarity(torch.arange(IMAGES)).numpy()
    np.testing.assert_array_equal(found, similarity(features, near=2, far=2))


def test_no_matrix_over_all_pairs_is_kept(
    features: Array, no_labels: Array, set_up: Callable[..., SSDH]
) -> None:
    loss = set_up(SSDH, no_labels, bits=6, features=features)
    shapes = {name: tuple(buffer.shape) for name, buffer in loss.named_buffers()}
    assert shapes == {"directions": (IMAGES, 5), "thresholds": (2,)}


def test_thresholds_come_from_a_random_subset_where_there_are_more_images(
    features: Array, no_labels: Array, set_up: Callable[..., SSDH]
) -> None:
    def thresholds(seed: int, sample: int) -> list[float]:
        loss = set_up(SSDH, no_labels, bits=6, features=features, seed=seed, sample=sample)
        found: list[float] = loss.thresholds.tolist()
        return found

    assert thresholds(0, 12) == thresholds(0, 12)
    assert thresholds(0, 12) != thresholds(1, 12)
    assert thresholds(0, IMAGES) == thresholds(1, IMAGES) == thresholds(0, 10_000)


@pytest.mark.parametrize("images", [1, 4])
def test_images_without_any_difference_are_neither_near_nor_far(
    images: int, set_up: Callable[..., SSDH], run: Callable[..., Any]
) -> None:
    labels = np.zeros((images, 2))
    loss = set_up(SSDH, labels, bits=6, features=np.ones((images, 5)))
    result = run(loss, np.full((images, 6), 0.3), labels)
    assert result.total == 0
    assert not result.gradient.any()
