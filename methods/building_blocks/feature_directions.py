"""Losses without labels: cosines of the features before training, which the codes follow."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.interface import HashLoss, LossContext, Needs
from hashbench.methods.shallow.principal import principal_directions


class FeatureLoss(HashLoss):
    """Base of losses that read the features of the training set before training.

    Whether their mean is subtracted is the parameter ``centre``, if the loss has one; otherwise it
    is.

    Attributes:
        directions: float32 (N, D), rows whose products are the cosines of the features.
    """

    needs = Needs(prepass=True)
    params: Any
    directions: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Compute the directions of the features, float32 (N, D)."""
        directions = prepass_directions(ctx, centre=getattr(self.params, "centre", True))
        # Not in a checkpoint: they follow from what every run is given again.
        self.register_buffer("directions", directions, persistent=False)


def prepass_features(ctx: LossContext) -> Tensor:
    """Return the features before training, float32 (N, D).

    Raises:
        ValueError: If there are none, as there are none unless ``needs.prepass`` is set.
    """
    if ctx.features is None:
        raise ValueError("setup needs the features of the pre-pass; needs.prepass is not set")
    return ctx.features


def prepass_directions(ctx: LossContext, *, centre: bool) -> Tensor:
    """Return rows (N, D) of norm 1 whose products are the cosines of the features.

    They are float32, on the context's device; a row of zeros (after the subtraction) stays zero.

    With ``centre`` the mean row is subtracted first. Without that all cosines of ReLU or ViT
    features are high, and codes would have to be alike.
    """
    features = prepass_features(ctx)
    found = centred_directions(features) if centre else unit_rows(features.double()).float()
    return found.to(ctx.device)


def centred_directions(features: Tensor, components: int | None = None) -> Tensor:
    """Subtract the mean row, project on principal directions if wanted, divide by the norm.

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


def even_rows(rows: Tensor) -> Tensor:
    """Leave the last row out if the number of rows is odd: it would have no partner."""
    return rows[: len(rows) // 2 * 2]


def half_cosines(rows: Tensor) -> Tensor:
    """Return the cosines (n / 2,) of the pairs of rows (i, i + n/2); 0 for a row of zeros."""
    directions = unit_rows(rows)
    half = len(rows) // 2
    return (directions[:half] * directions[half:]).sum(1)


def cosine_gap(codes: Tensor, features: Tensor) -> Tensor:
    """Average the squared difference of two cosines over the pairs (i, i + n/2).

    Codes (n, bits) and features (n, D) are of the same n images, n even; it is 0 for no pair.
    """
    gaps = (half_cosines(codes) - half_cosines(features)).square()
    return gaps.sum() / max(len(gaps), 1)
