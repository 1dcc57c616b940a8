"""k-means against all partitions of a few points, and against scikit-learn's on more."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from hashbench.methods.building_blocks.clustering import cluster_means, kmeans

Array = NDArray[np.float64]


def scatter(points: Array, ids: NDArray[np.int64]) -> float:
    """The sum of squared distances to the cluster's mean."""
    groups = [points[ids == c] for c in np.unique(ids)]
    return float(sum(((group - group.mean(0)) ** 2).sum() for group in groups))


def run(points: Array, clusters: int, seed: int = 0) -> NDArray[np.int64]:
    generator = torch.Generator().manual_seed(seed)
    return kmeans(torch.tensor(points), clusters, generator=generator).numpy()


@pytest.mark.parametrize("clusters", [1, 2, 3])
def test_the_best_of_all_partitions_is_found(clusters: int) -> None:
    points = np.random.default_rng(1).normal(size=(8, 2))
    ids = (np.array(p) for p in product(range(clusters), repeat=len(points)))
    best = min(scatter(points, each) for each in ids)
    assert scatter(points, run(points, clusters)) == pytest.approx(best)


def test_it_is_as_good_as_an_established_implementation() -> None:
    points = np.random.default_rng(2).normal(size=(300, 4))
    other = KMeans(12, n_init=10, random_state=0).fit(points).inertia_
    assert scatter(points, run(points, 12)) <= 1.03 * other


def test_every_point_is_in_the_cluster_of_the_nearest_mean() -> None:
    points = np.random.default_rng(3).normal(size=(100, 3))
    ids = run(points, 9)
    means = np.array([points[ids == c].mean(0) for c in range(9)])
    distances = ((points[:, None] - means) ** 2).sum(2)
    np.testing.assert_array_equal(ids, distances.argmin(1))


def test_a_generator_fixes_the_ids_and_the_global_one_is_left_alone() -> None:
    points = np.random.default_rng(4).normal(size=(60, 3))
    before = torch.get_rng_state()
    np.testing.assert_array_equal(run(points, 5, seed=1), run(points, 5, seed=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_as_many_clusters_as_points_gives_each_its_own() -> None:
    assert sorted(run(np.random.default_rng(5).normal(size=(6, 2)), 6)) == list(range(6))


@pytest.mark.parametrize("points", [np.zeros((5, 3)), np.zeros((1, 3))])
def test_points_that_are_all_equal_are_clustered_without_an_error(points: Array) -> None:
    ids = run(points, len(points))
    assert len(ids) == len(points)
    assert ids.min() >= 0 and ids.max() < len(points)


def test_an_empty_cluster_has_size_zero_and_the_mean_zero() -> None:
    points = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    means, sizes = cluster_means(points, torch.tensor([2, 2]), clusters=3)
    assert means.tolist() == [[0, 0], [0, 0], [2, 3]]
    assert sizes.tolist() == [0, 0, 2]
