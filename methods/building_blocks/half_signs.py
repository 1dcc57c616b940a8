"""The bi-half layer: the larger half of each bit's values is +1, so every bit is balanced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def half_signs(outputs: Tensor, gamma: float) -> Tensor:
    """Give +1 to the larger half of each column and -1 to the rest; for training only.

    Forward, the floor(n/2) largest values of a column become +1 (of equal ones, those of earlier
    rows), all others -1. Backward, with b the result, n rows and K columns::

        grad_u = grad_b + gamma (u - b) / (n K)

    The second part is the gradient of gamma / 2 mean_ik (u_ik - b_ik)^2, and is there whatever
    weight the caller gives to what it makes of b. A code is never taken from here: whether an image
    is in the larger half depends on the others of its batch.

    Args:
        outputs: u, (n, K).
        gamma: How strongly outputs are pulled to their bit.

    Returns:
        b, of the shape and dtype of ``outputs``.

    Example:
        >>> half_signs(torch.tensor([[3.0], [2.0], [5.0], [4.0]]), 6.0).flatten().tolist()
        [-1.0, -1.0, 1.0, 1.0]
    """
    result: Tensor = _HalfSigns.apply(outputs, gamma)
    return result


# What autograd hands over as `ctx` has no type that declares the attributes it takes.
class _HalfSigns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, gamma: float) -> Tensor:
        order = outputs.argsort(dim=0, descending=True, stable=True)
        signs = torch.full_like(outputs, -1).scatter_(0, order[: len(outputs) // 2], 1)
        ctx.save_for_backward(outputs, signs)
        ctx.gamma = gamma
        return signs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        outputs, signs = ctx.saved_tensors
        pull = (outputs - signs) / max(outputs.numel(), 1)
        return gradient + ctx.gamma * pull, None
