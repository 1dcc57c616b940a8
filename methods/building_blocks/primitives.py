"""Numerically stable functions that hashing losses are built from."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_EPSILON = 1e-12


def sgn(values: Tensor) -> Tensor:
    """Return the sign, -1 or +1, with +1 for 0: a code never holds a third value.

    The result has the shape and dtype of ``values``; no gradient flows through it.

    Example:
        >>> sgn(torch.tensor([-0.5, 0.0, 2.0])).tolist()
        [-1.0, 1.0, 1.0]
    """
    one = torch.ones_like(values)
    return torch.where(values >= 0, one, -one)


def straight_through_sgn(values: Tensor) -> Tensor:
    """Return `sgn`, with the gradient of the identity, not clipped to [-1, 1]."""
    # The difference is exactly 0, so the sum is exactly the sign however large a value is.
    return sgn(values).detach() + (values - values.detach())


def softplus(values: Tensor) -> Tensor:
    """Return log(1 + e^x), exact at both ends and with the gradient 1/2 at 0.

    Spelling out max(x, 0) + log1p(exp(-|x|)) would have the gradient 1 at 0, the value of the
    products of a head whose outputs are all 0; PyTorch's ``softplus`` is linear from 20 on.
    """
    return -functional.logsigmoid(-values)


def log_cosh(values: Tensor) -> Tensor:
    """Return log cosh(x) without the overflow of cosh, in float32 from 89 on."""
    size = values.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - math.log(2)


def logit_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-likelihood log(1 + e^theta) - s theta of each target s in [0, 1].

    With theta = 2u and s = (t + 1) / 2 it is the binary cross entropy of (tanh(u) + 1) / 2, without
    the log 0 of a saturated tanh.
    """
    return softplus(logits) - targets * logits


def off_binary(outputs: Tensor, power: int = 1) -> Tensor:
    """Return | |u| - 1 | to a power: the distance of each output from the nearer of -1 and +1.

    |u| is compared with 1, not with the sign of u, which has no gradient.
    """
    return (outputs.abs() - 1).abs().pow(power)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Return the squared Euclidean distances (n, m) of rows (n, bits) and (m, bits), at least 0.

    The (n, m, bits) tensor of differences is never made.
    """
    squares = left.square().sum(1, keepdim=True) + right.square().sum(1)
    return (squares - 2 * left @ right.T).clamp_min(0)


def unit_rows(rows: Tensor) -> Tensor:
    """Divide rows (n, width) by their Euclidean norm; a row of zeros stays 0 and has no gradient.

    Dividing by max(norm, 1e-12) alone would give such a row a gradient of the order of 1e12.
    """
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    safe = torch.where(norms > _EPSILON, rows, rows.detach())
    return safe / norms.clamp_min(_EPSILON)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values that a bool mask selects; 0, not NaN, if it selects none.

    The mask may have any shape that broadcasts to that of ``values``.
    """
    chosen = mask.expand_as(values)
    total = torch.where(chosen, values, torch.zeros_like(values)).sum()
    return total / chosen.sum().clamp_min(1)
