"""Random rotations."""

from __future__ import annotations

import torch
from torch import Tensor


def random_rotation(size: int, generator: torch.Generator) -> Tensor:
    """Draw a uniformly distributed orthogonal matrix.

    Args:
        size: Rows and columns.
        generator: The CPU generator that draws.

    Returns:
        float64 (size, size).
    """
    normal = torch.randn((size, size), generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(normal)
    uniform: Tensor = Q * torch.sign(torch.diagonal(R))  # without the signs it would not be
    return uniform
