"""Similarity of label sets in which labels that often occur together count as alike."""

from __future__ import annotations

import torch
from torch import Tensor


def damped_cooccurrence(labels: Tensor, damping: float) -> Tensor:
    """How alike two classes are: (1 - rho) I + rho R, R_cd = n_cd / sqrt(n_c n_d).

    n_cd counts the images with both classes, n_c those with one; R is 0 for a class without images.
    Single-label data give the identity.

    Args:
        labels: (N, classes), multi-hot.
        damping: rho, 0 (classes are unlike) to 1.

    Returns:
        float32 (classes, classes), symmetric, positive definite for rho < 1.
    """
    counts = labels.double().T @ labels.double()
    sizes = counts.diagonal()
    scale = (sizes[:, None] * sizes).sqrt()
    together = torch.where(scale > 0, counts / scale.clamp_min(1), 0)
    identity = torch.eye(len(counts), dtype=torch.float64, device=labels.device)
    return ((1 - damping) * identity + damping * together).float()


def cooccurrence_similarity(labels: Tensor, cooccurrence: Tensor) -> Tensor:
    """Generalised cosine of label sets: y_i R y_j / sqrt((y_i R y_i) (y_j R y_j)), in [0, 1].

    An image without a label has similarity 0 with every other and 1 with itself.

    Args:
        labels: y, (n, classes), multi-hot.
        cooccurrence: R, (classes, classes), see `damped_cooccurrence`.

    Returns:
        (n, n), symmetric, 1 on the diagonal.
    """
    product = labels @ cooccurrence.to(labels.dtype) @ labels.T
    shared = (product + product.T) / 2  # the two differ by rounding
    own = shared.diagonal()
    norms = (own[:, None] * own).sqrt()
    cosines = torch.where(norms > 0, shared / torch.where(norms > 0, norms, 1), 0)
    return cosines.clamp(0, 1).fill_diagonal_(1)
