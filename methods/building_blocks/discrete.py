"""Discrete coordinate descent: binary codes that minimise a quadratic form, a bit at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.methods.building_blocks.primitives import sgn


def coordinate_sweep(codes: Tensor, linear: Tensor, quadratic: Tensor) -> Tensor:
    """One sweep over the bits that lowers tr(B Q B^T) - 2 tr(P^T B) over B in {-1, +1}^(N x K).

    Bit k of all codes at once becomes its exact minimiser with the other bits fixed, for bits in
    order::

        b_.k = sgn(P_.k - B_{-k} Q_{-k,k})

    so the objective never rises. Where that is exactly 0 either value is optimal and the old one
    is kept. With Q = U^T U and P = K S^T U it minimises ||U B^T - K S||^2.

    Args:
        codes: B, (N, K), of -1 and +1; left as it is.
        linear: P, (N, K).
        quadratic: Q, (K, K), symmetric.

    Returns:
        The new codes, (N, K).
    """
    result = codes.clone()
    for bit in range(codes.shape[1]):
        others = quadratic[:, bit].clone()
        others[bit] = 0
        values = linear[:, bit] - result @ others
        result[:, bit] = torch.where(values == 0, result[:, bit], sgn(values))
    return result
