"""Soft assignment, its sharpened targets and their divergence, against loops; collapse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.clustering import (
    divergence,
    log_assignment,
    sharpened,
    usable,
)

Array = NDArray[np.float64]


@pytest.fixture
def points() -> Array:
    return np.random.default_rng(0).normal(size=(7, 3))


@pytest.fixture
def centres() -> Array:
    return np.random.default_rng(1).normal(size=(4, 3))


def student(points: Array, centres: Array) -> Array:
    rows = []
    for point in points:
        kernels = np.array([1 / (1 + ((point - centre) ** 2).sum()) for centre in centres])
        rows.append(kernels / kernels.sum())
    return np.array(rows)


def test_assignment_is_the_students_kernel(points: Array, centres: Array) -> None:
    found = log_assignment(torch.tensor(points), torch.tensor(centres)).exp()
    np.testing.assert_allclose(found.numpy(), student(points, centres), atol=1e-12)


def test_assignment_is_finite_far_from_all_centres() -> None:
    points = torch.full((1, 2), 1e15, requires_grad=True)
    logs = log_assignment(points, torch.zeros(3, 2))
    logs[0, 0].backward()
    assert points.grad is not None
    assert bool(torch.isfinite(logs).all() and torch.isfinite(points.grad).all())


def test_targets_are_sharpened_and_hold_no_gradient(points: Array, centres: Array) -> None:
    q = student(points, centres)
    squares = q**2 / q.sum(0)
    expected = squares / squares.sum(1, keepdims=True)
    found = sharpened(torch.tensor(q, requires_grad=True), torch.tensor(q.sum(0)))
    assert not found.requires_grad
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_divergence_is_that_of_kullback_and_leibler(points: Array, centres: Array) -> None:
    q = student(points, centres)
    p = np.roll(q, 1, axis=1)
    p[0] = [1, 0, 0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(p * np.log(p / q)).sum(1)
    found = divergence(torch.tensor(p), torch.tensor(np.log(q)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("sizes", "fit"),
    [
        ([3, 3, 2, 2], True),
        ([4, 2, 2, 2], False),  # 40 % in one cluster
        ([3, 3, 3, 1, 0, 0, 0, 0], True),  # half of the clusters
        ([3, 3, 3, 1, 0, 0, 0, 0, 0], False),  # less than half
        ([10, 0, 0, 0], False),
    ],
)
def test_ids_are_usable_if_half_the_clusters_are_filled_and_none_is_too_large(
    sizes: list[int], fit: bool
) -> None:
    ids = torch.tensor(np.repeat(np.arange(len(sizes)), sizes))
    assert usable(ids, clusters=len(sizes)) is fit
