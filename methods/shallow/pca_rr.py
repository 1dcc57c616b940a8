"""PCA-RR: principal components in a random rotation."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.methods.shallow.interface import LinearMethod
from hashbench.methods.shallow.principal import principal_directions, random_rotation


class PCARR(LinearMethod):
    """PCA and a random rotation: code = sgn((f - mean) V R), R uniform among orthogonal matrices.

    V are the leading principal directions. The rotation spreads their variance over the bits, which
    `PCAH` does not. It is not fitted to the codes; that of `ITQ` is, and starts from this R under
    the same seed. The three together show the gain of rotating and of learning the rotation.

    The code length is at most min(D, N - 1).

    Attributes:
        rotation: float64 (bits, bits), R, orthogonal; set by `fit`.
        projection: float64 (D, bits), V R; set by `fit`.
    """

    info = ComponentInfo(
        title="PCA and a Random Rotation",
        paper="baseline of ITQ: Gong, Lazebnik, CVPR 2011; with Gordo, Perronnin, TPAMI 2013",
        citation="gong2013itq",
    )
    rotation: Tensor

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Find V and draw R."""
        directions = principal_directions(centred, self.bits, method="pca_rr")
        self.rotation = random_rotation(self.bits, generator)
        self.projection = directions @ self.rotation
