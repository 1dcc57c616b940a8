"""Numerically stable pieces that hashing losses are built from."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_EPSILON = 1e-12


def sgn(values: Tensor) -> Tensor:
    """The sign, with +1 for 0, so that a code never holds a third value.

    Args:
        values: Of any shape and real dtype.

    Returns:
        -1 and +1 in the same shape and dtype; no gradient flows through it.

    Example:
        >>> sgn(torch.tensor([-0.5, 0.0, 2.0])).tolist()
        [-1.0, 1.0, 1.0]
    """
    one = torch.ones_like(values)
    return torch.where(values >= 0, one, -one)


def straight_through_sgn(values: Tensor) -> Tensor:
    """`sgn` forward, the identity backward, without clipping to [-1, 1].

    Args:
        values: Of any shape.

    Returns:
        -1 and +1 whose gradient passes to ``values`` unchanged.
    """
    # The difference is exactly 0, so the sum is exactly the sign however large a value is.
    return sgn(values).detach() + (values - values.detach())


def softplus(values: Tensor) -> Tensor:
    """log(1 + e^x), exact at both ends and with the gradient 1/2 at 0.

    Spelling out max(x, 0) + log1p(exp(-|x|)) would have the gradient 1 at 0, the value at which
    the products of a dead head are; the library's ``softplus`` is linear from 20 on.

    Args:
        values: Of any shape.

    Returns:
        The same shape, non-negative.
    """
    return -functional.logsigmoid(-values)


def log_cosh(values: Tensor) -> Tensor:
    """Log cosh(x), which overflows in float32 from 89 on when written as it reads.

    Args:
        values: Of any shape.

    Returns:
        The same shape, non-negative.
    """
    size = values.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - math.log(2)


def logit_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood sp(theta) - s * theta of a Bernoulli variable with a logit.

    With theta = 2u and s = (t + 1) / 2 it is the binary cross entropy of (tanh(u) + 1) / 2, without
    the log 0 of a saturated tanh.

    Args:
        logits: theta, of any shape.
        targets: s in [0, 1] (or bool), of the same shape.

    Returns:
        The same shape, non-negative.
    """
    return softplus(logits) - targets * logits


def off_binary(outputs: Tensor, power: int = 1) -> Tensor:
    """How far outputs are from -1 and +1: | |u| - 1 | to a power.

    It is |u| that is compared with 1, not the sign of u, which has no gradient.

    Args:
        outputs: Of any shape.
        power: 1 or more.

    Returns:
        The same shape, non-negative.
    """
    return (outputs.abs() - 1).abs().pow(power)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared Euclidean distances, without the (n, m, bits) tensor of differences.

    Args:
        left: (n, bits).
        right: (m, bits).

    Returns:
        (n, m), clamped at 0.
    """
    squares = left.square().sum(1, keepdim=True) + right.square().sum(1)
    return (squares - 2 * left @ right.T).clamp_min(0)


def unit_rows(rows: Tensor) -> Tensor:
    """Rows over their Euclidean norm; a row of zeros stays zero and gets no gradient.

    Dividing by max(norm, 1e-12) alone would give such a row a gradient of the order of 1e12.

    Args:
        rows: (n, width).

    Returns:
        (n, width), each row of norm 1 or 0.
    """
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    safe = torch.where(norms > _EPSILON, rows, rows.detach())
    return safe / norms.clamp_min(_EPSILON)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values that a mask selects; 0, not NaN, if it selects none.

    Args:
        values: Of any shape.
        mask: bool, of a shape that broadcasts to that of ``values``.

    Returns:
        A scalar with gradient.
    """
    chosen = mask.expand_as(values)
    total = torch.where(chosen, values, torch.zeros_like(values)).sum()
    return total / chosen.sum().clamp_min(1)
