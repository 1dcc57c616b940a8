"""Clusters: repeatable k-means, soft assignment to centres, and the targets it is trained on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hashbench.methods.building_blocks.primitives import squared_distances

_MOST_ROUNDS = 300
_LARGEST_SHARE = 0.3


def kmeans(
    points: Tensor, clusters: int, *, generator: torch.Generator, restarts: int = 10
) -> Tensor:
    """Run k-means with k-means++ seeding, on the points' device; return the best run's cluster ids.

    The best of the restarts is the one with the smallest sum of squared distances.

    Args:
        points: (N, D).
        clusters: Number of clusters, 1 to N.
        generator: The CPU generator that draws the seeds.
        restarts: Runs, each from seeds of its own.

    Returns:
        int64 (N,), ids below ``clusters``. A cluster is empty only if there are fewer distinct
        points than clusters.
    """
    runs = [_lloyd(points, _seeds(points, clusters, generator)) for _ in range(restarts)]
    best = min(range(restarts), key=lambda run: float(runs[run][1]))
    return runs[best][0]


def cluster_means(points: Tensor, ids: Tensor, *, clusters: int) -> tuple[Tensor, Tensor]:
    """Return each cluster's mean point (clusters, D), 0 if it is empty, and its size, int64."""
    sizes = ids.bincount(minlength=clusters)
    sums = points.new_zeros(clusters, points.shape[1]).index_add_(0, ids, points)
    return sums / sizes.clamp_min(1)[:, None], sizes


def _seeds(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """Draw seeds by k-means++: each in proportion to its squared distance to the earlier ones."""
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
    """Assign and average until nothing changes; return ids and the sum of squared distances."""
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
            # A new centre gains most at the points that are farthest from theirs.
            centres[empty] = points[nearest.topk(len(empty)).indices]
    nearest, ids = squared_distances(points, centres).min(1)
    return ids, nearest.sum()


def log_assignment(points: Tensor, centres: Tensor) -> Tensor:
    """Return log q_ic, with q_ic proportional to 1 / (1 + ||z_i - mu_c||^2) and summing to 1.

    It is (n, clusters), with gradient to the points z (n, width) and the centres mu.
    """
    return functional.log_softmax(-torch.log1p(squared_distances(points, centres)), dim=1)


def sharpened(assignment: Tensor, frequencies: Tensor) -> Tensor:
    """Return p_ic = (q_ic^2 / F_c) / sum_c' (q_ic'^2 / F_c'), without gradient.

    Args:
        assignment: q, (n, clusters).
        frequencies: F_c, the sum of q_ic over all images, (clusters,), positive.
    """
    weights = assignment.detach().square() / frequencies.detach()
    return weights / weights.sum(1, keepdim=True)


def divergence(targets: Tensor, log_assigned: Tensor) -> Tensor:
    """Return KL(p_i || q_i) = sum_c p_ic log(p_ic / q_ic), (n,), from p and log q (n, clusters).

    0 log 0 is 0.
    """
    return (torch.xlogy(targets, targets) - targets * log_assigned).sum(1)


def usable(ids: Tensor, *, clusters: int) -> bool:
    """Return whether new cluster ids may replace the old ones, that is, none have collapsed.

    At least half of the clusters must have a member, and none more than 30 % of all images.
    """
    sizes = ids.bincount(minlength=clusters)
    filled, largest = int((sizes > 0).sum()), int(sizes.max())
    return 2 * filled >= clusters and largest <= _LARGEST_SHARE * len(ids)
