"""PCAH: signs of the principal components."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.methods.shallow.interface import LinearMethod
from hashbench.methods.shallow.principal import principal_directions


class PCAH(LinearMethod):
    """PCA hashing: code = sgn((f - mean) V), V (D, bits) the leading principal directions.

    It is ITQ without the rotation. Every direction has one bit, however little the data vary along
    it, so more bits may give worse codes. A direction along which nothing varies at
    all (pixels that are 0 in every image) gives a constant bit; its sign would be that of rounding
    errors otherwise.

    The code length is at most min(D, N - 1).

    Attributes:
        projection: float64 (D, bits), V; set by `fit`.
    """

    info = ComponentInfo(
        title="PCA Hashing",
        paper="baseline of ITQ: Gong, Lazebnik, CVPR 2011; with Gordo, Perronnin, TPAMI 2013",
        citation="gong2013itq",
    )

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Find V."""
        directions = principal_directions(centred, self.bits, method="pcah")
        spreads = torch.linalg.vector_norm(centred @ directions, dim=0)
        negligible = spreads.max() * max(centred.shape) * torch.finfo(centred.dtype).eps
        self.projection = directions * (spreads > negligible)
