"""Which images of a batch are similar, and how the losses of similar and dissimilar pairs weigh."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from hashbench.methods.building_blocks.primitives import masked_mean, squared_distances, unit_rows


class PairWeight(StrEnum):
    """``none``: the mean over all pairs; ``balanced``: similar and dissimilar pairs count alike."""

    NONE = "none"
    BALANCED = "balanced"


def labelled(labels: Tensor) -> Tensor:
    """Which images have a label at all.

    Args:
        labels: (n, classes), multi-hot.

    Returns:
        bool (n,).
    """
    return labels.sum(1) > 0


def similar_pairs(left: Tensor, right: Tensor) -> Tensor:
    """Which pairs share a label: s_ij = 1 if <y_i, y_j> > 0.

    An image without a label is similar to nothing, itself included.

    Args:
        left: (n, classes), multi-hot.
        right: (m, classes), multi-hot.

    Returns:
        bool (n, m).
    """
    return left @ right.T > 0


def label_jaccard(left: Tensor, right: Tensor) -> Tensor:
    """Labels shared over labels held by either: |y_i and y_j| / |y_i or y_j|.

    Args:
        left: (n, classes), multi-hot.
        right: (m, classes), multi-hot.

    Returns:
        (n, m) in [0, 1]; 0 where neither image has a label.
    """
    shared = left @ right.T
    either = left.sum(1, keepdim=True) + right.sum(1) - shared
    return shared / either.clamp_min(1)


def label_cosine(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of label vectors: <y_i, y_j> / (|y_i| |y_j|).

    Args:
        left: (n, classes), multi-hot.
        right: (m, classes), multi-hot.

    Returns:
        (n, m) in [0, 1]; 0 where an image has no label.
    """
    return unit_rows(left) @ unit_rows(right).T


def margin_losses(left: Tensor, right: Tensor, similar: Tensor, *, margin: float) -> Tensor:
    """The contrastive margin loss of every pair: d_ij / 2 or max(m - d_ij, 0) / 2.

    d_ij is the squared Euclidean distance, and the hinge is on it, not on its root.

    Args:
        left: (n, bits).
        right: (m, bits).
        similar: bool (n, m), the pairs that are pulled together; all others are pushed apart.
        margin: m.

    Returns:
        (n, m), non-negative.
    """
    distances = squared_distances(left, right)
    return torch.where(similar, distances, (margin - distances).clamp_min(0)) / 2


def pair_mean(
    losses: Tensor, similar: Tensor, *, weight: PairWeight, valid: Tensor | None = None
) -> Tensor:
    """Average a loss over pairs.

    ``balanced`` is the mean over similar pairs plus the mean over dissimilar ones. It equals the
    weights |S|/|S1| and |S|/|S0| of HashNet, divided by |S|; an empty side is left out, where those
    weights are infinite.

    Args:
        losses: (n, m), the loss of each pair.
        similar: bool (n, m).
        weight: How the two kinds of pair weigh.
        valid: bool, of a shape that broadcasts to (n, m): the pairs that count; None for all.

    Returns:
        A scalar with gradient; 0 if no pair counts.
    """
    counted = similar | ~similar if valid is None else valid
    if weight is PairWeight.NONE:
        return masked_mean(losses, counted)
    return masked_mean(losses, counted & similar) + masked_mean(losses, counted & ~similar)
