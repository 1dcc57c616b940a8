"""Principal directions of centred features, and random rotations."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.core.errors import ConfigError

# Features with more dimensions than this, and than there are images, have their directions from
# the N x N inner products: the D x D covariance of the pixels of photos fits into no machine.
_WIDEST = 4096


def principal_directions(centred: Tensor, count: int, *, method: str) -> Tensor:
    """Return the directions of greatest variance, in falling order.

    Each direction's sign is chosen so that its component of greatest magnitude is positive: linear
    algebra libraries leave it open, and codes must not depend on which one is installed.

    They are the orthonormal columns of a float64 (D, count). The features, (N, D), have mean zero.

    Raises:
        ConfigError: If there are fewer than ``count``: N centred points in D dimensions span at
            most min(D, N - 1). The message names ``method``.
    """
    samples, width = centred.shape
    most = min(width, samples - 1)
    if count > most:
        raise ConfigError(
            f"bits: {method} takes at most min(feature dimensions, training images - 1) = {most} "
            f"bits here (D = {width}, N = {samples}), got {count}"
        )
    directions = _leading(centred, count)
    peaks = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    signed: Tensor = directions * torch.sign(peaks)
    return signed


def random_rotation(size: int, generator: torch.Generator) -> Tensor:
    """Draw a uniformly distributed orthogonal matrix, float64 (size, size)."""
    normal = torch.randn((size, size), generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(normal)
    uniform: Tensor = Q * torch.sign(torch.diagonal(R))  # without the signs it would not be
    return uniform


def _leading(centred: Tensor, count: int) -> Tensor:
    samples, width = centred.shape
    if width <= max(samples, _WIDEST):
        vectors: Tensor = torch.linalg.eigh(centred.T @ centred).eigenvectors  # in rising order
        return vectors[:, -count:].flip(1)
    # QR makes directions of little variance, which rounding bends, orthogonal again.
    vectors = torch.linalg.eigh(centred @ centred.T).eigenvectors
    directions: Tensor = torch.linalg.qr(centred.T @ vectors[:, -count:].flip(1)).Q
    return directions
