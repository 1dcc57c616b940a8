"""k-means with k-means++ seeding and restarts, on the device of the points, repeatable."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.methods.building_blocks.primitives import squared_distances

_MOST_ROUNDS = 300


def kmeans(
    points: Tensor, clusters: int, *, generator: torch.Generator, restarts: int = 10
) -> Tensor:
    """Cluster ids of the restart with the smallest sum of squared distances.

    Args:
        points: (N, D).
        clusters: Number of clusters, 1 to N.
        generator: A CPU generator that draws the seeds.
        restarts: Runs from seeds of their own.

    Returns:
        int64 (N,), ids below ``clusters``. A cluster is empty only if there are fewer distinct
        points than clusters.
    """
    runs = [_lloyd(points, _seeds(points, clusters, generator)) for _ in range(restarts)]
    best = min(range(restarts), key=lambda run: float(runs[run][1]))
    return runs[best][0]


def cluster_means(points: Tensor, ids: Tensor, *, clusters: int) -> tuple[Tensor, Tensor]:
    """Mean point and size of each cluster.

    Args:
        points: (N, D).
        ids: int64 (N,).
        clusters: Number of clusters.

    Returns:
        (clusters, D), 0 for an empty cluster, and int64 (clusters,).
    """
    sizes = ids.bincount(minlength=clusters)
    sums = points.new_zeros(clusters, points.shape[1]).index_add_(0, ids, points)
    return sums / sizes.clamp_min(1)[:, None], sizes


def _seeds(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """k-means++: each next seed is drawn with probability proportional to its squared distance."""
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    nearest = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < clusters:
        weights = nearest.double().cpu()
        weights[chosen] = 0  # rounding may leave a seed a little away from itself
        if not bool(weights.any()):
            weights = torch.ones_like(weights)
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        distances = squared_distances(points, points[chosen[-1:]])[:, 0]
        nearest = torch.minimum(nearest, distances)
    return points[chosen]


def _lloyd(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Assign and average until nothing changes; ids and the sum of squared distances."""
    clusters = len(centres)
    ids: Tensor | None = None
    for _ in range(_MOST_ROUNDS):
        nearest, found = squared_distances(points, centres).min(1)
        if ids is not None and torch.equal(found, ids):
            break
        ids = found
        centres, sizes = cluster_means(points, ids, clusters=clusters)
        empty = (sizes == 0).nonzero()[:, 0]
        if len(empty):
            # Where points are served worst a new cluster gains most.
            centres[empty] = points[nearest.topk(len(empty)).indices]
    nearest, ids = squared_distances(points, centres).min(1)
    return ids, nearest.sum()
