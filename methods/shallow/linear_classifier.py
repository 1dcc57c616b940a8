"""A linear classifier with a penalty: a convex problem whose solution no seed changes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALL = 1e-7  # the gradient's largest entry at the end
_WIDEST = 4096  # dimensions that are never too many: the pixels of photos are 196,608


def fit_linear(
    features: Tensor, labels: Tensor, *, multilabel: bool, decay: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """Fit logits x W + b by L-BFGS from zero; nothing is drawn.

    The penalty keeps W in the span of the features, so features with many more dimensions than
    there are images are fitted by their coordinates in it: the same W, from N x N numbers.

    Single-label, the loss is the mean cross-entropy of the softmax; multi-label, the mean over
    images of the sum over classes of the binary cross-entropies. Added is decay / 2 ||W||^2.

    Args:
        features: float64 (N, D); of mean square norm about 1, or it takes many iterations.
        labels: (N, classes), multi-hot.
        multilabel: Whether an image may have several labels.
        decay: Weight of the penalty, above 0.
        iterations: Of L-BFGS, at most.

    Returns:
        W, float64 (D, classes), and b, float64 (classes,).
    """
    if features.shape[1] > max(len(features), _WIDEST):
        basis, coordinates = torch.linalg.qr(features.T)
        found, offset = fit_linear(
            coordinates.T, labels, multilabel=multilabel, decay=decay, iterations=iterations
        )
        return basis @ found, offset
    targets = labels.to(features)
    weights = torch.zeros(features.shape[1], targets.shape[1], dtype=features.dtype)
    offset = torch.zeros(targets.shape[1], dtype=features.dtype)
    numbers = [weights.requires_grad_(), offset.requires_grad_()]
    optimiser = torch.optim.LBFGS(
        numbers,
        max_iter=iterations,
        tolerance_grad=_SMALL,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = features @ weights + offset
        if multilabel:
            entropies = functional.binary_cross_entropy_with_logits(
                logits, targets, reduction="none"
            )
            loss = entropies.sum(dim=1).mean()
        else:
            loss = functional.cross_entropy(logits, targets)
        loss = loss + decay / 2 * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it in part only
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]  # as backward
    return weights.detach(), offset.detach()
