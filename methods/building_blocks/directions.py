"""Directions of pre-computed features: what cosine neighbours and similarities are taken from."""

from __future__ import annotations

from torch import Tensor

from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.shallow.principal import principal_directions


def centred_directions(features: Tensor, components: int | None = None) -> Tensor:
    """Subtract the mean row, project on principal directions if asked to, divide by the norm.

    Without the subtraction all cosines of ReLU or ViT features are high and tell little.

    Args:
        features: (N, D), not constant in every column.
        components: Principal directions to keep. Where there are no more than that, all are kept,
            by leaving the projection out: it would not change a cosine.

    Returns:
        float32 (N, D) or (N, components), rows of norm 1; a row equal to the mean is 0.

    Example:
        >>> import torch
        >>> centred_directions(torch.tensor([[0.0, 1.0], [4.0, 1.0]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    centred = features.double() - features.double().mean(0)
    samples, width = centred.shape
    if components is not None and components < min(width, samples - 1):
        centred = centred @ principal_directions(centred, components, method="the pre-pass")
    return unit_rows(centred).float()
