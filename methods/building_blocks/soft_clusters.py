"""Soft assignment to cluster centres, and the sharpened targets it is trained towards."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hashbench.methods.building_blocks.primitives import squared_distances

_LARGEST_SHARE = 0.3


def log_assignment(points: Tensor, centres: Tensor) -> Tensor:
    """Log q_ic, where q_ic is proportional to 1 / (1 + ||z_i - mu_c||^2) and sums to 1 over c.

    Args:
        points: z, (n, width).
        centres: mu, (clusters, width).

    Returns:
        (n, clusters), with gradient to both.
    """
    return functional.log_softmax(-torch.log1p(squared_distances(points, centres)), dim=1)


def sharpened(assignment: Tensor, frequencies: Tensor) -> Tensor:
    """p_ic = (q_ic^2 / F_c) / sum_c' (q_ic'^2 / F_c').

    Args:
        assignment: q, (n, clusters).
        frequencies: F_c, the sum of q_ic over all images, (clusters,), positive.

    Returns:
        (n, clusters), rows that sum to 1, without gradient.
    """
    weights = assignment.detach().square() / frequencies.detach()
    return weights / weights.sum(1, keepdim=True)


def divergence(targets: Tensor, log_assigned: Tensor) -> Tensor:
    """KL(p_i || q_i) = sum_c p_ic log(p_ic / q_ic), with 0 log 0 = 0.

    Args:
        targets: p, (n, clusters).
        log_assigned: log q, (n, clusters).

    Returns:
        (n,).
    """
    return (torch.xlogy(targets, targets) - targets * log_assigned).sum(1)


def usable(ids: Tensor, *, clusters: int) -> bool:
    """Whether new cluster ids are fit to replace the old ones: no collapse has begun.

    Args:
        ids: int64 (N,).
        clusters: Number of clusters.

    Returns:
        True if at least half of the clusters have a member and none has more than 30 % of all.
    """
    sizes = ids.bincount(minlength=clusters)
    filled, largest = int((sizes > 0).sum()), int(sizes.max())
    return 2 * filled >= clusters and largest <= _LARGEST_SHARE * len(ids)
