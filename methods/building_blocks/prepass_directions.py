"""The directions of the pre-pass features, as losses take them whose targets are cosines."""

from __future__ import annotations

from torch import Tensor

from hashbench.methods.building_blocks.directions import centred_directions
from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.interface import LossContext


def prepass_directions(ctx: LossContext, *, centre: bool) -> Tensor:
    """Rows of norm 1 whose products are the cosines of the training set's features.

    Args:
        ctx: What the loss was given, with features.
        centre: Whether to subtract the mean row first. Without that all cosines of ReLU or ViT
            features are high, and codes would have to be alike.

    Returns:
        float32 (N, D), on the context's device; a row of zeros (after the subtraction) stays zero.

    Raises:
        ValueError: If the context has no features.
    """
    if ctx.features is None:
        raise ValueError("setup needs the features of the pre-pass; needs.prepass is not set")
    features = ctx.features
    found = centred_directions(features) if centre else unit_rows(features.double()).float()
    return found.to(ctx.device)
