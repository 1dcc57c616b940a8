"""LSH: signs of random projections."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.shallow.interface import LinearMethod


class LSH(LinearMethod):
    """Locality-sensitive hashing for angles: code = sgn((f - mean) W), W (D, bits) normal.

    W does not depend on the data, only on the width D of the features.

    Attributes:
        projection: float64 (D, bits), W; set by `fit`.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            centre: Whether to subtract the training mean. Public versions do not, and features
                after a ReLU then give strongly biased bits.
        """

        centre: bool = True

    info = ComponentInfo(
        title="Locality-Sensitive Hashing (random projections)",
        paper="Gionis, Indyk, Motwani, VLDB 1999; Charikar, STOC 2002",
        citation="charikar2002similarity",
    )

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Draw W."""
        size = (centred.shape[1], self.bits)
        self.projection = torch.randn(size, generator=generator, dtype=torch.float64)
