"""ITQ: principal components, rotated so that their quantisation error is least."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.primitives import sgn
from hashbench.methods.shallow.interface import LinearMethod
from hashbench.methods.shallow.principal import principal_directions, random_rotation


class ITQ(LinearMethod):
    """Iterative quantisation.

    With X = (F - mean) V, V the leading principal directions, alternate B = sgn(X R) and the
    orthogonal Procrustes solution R = W U^T of B^T X = U S W^T; code = sgn((f - mean) V R). Both
    steps lower ||B - X R||^2. (Public versions that transpose the W their library has already
    returned untransposed end at an arbitrary rotation; the falling error is the test.)

    The code length is at most min(D, N - 1).

    Attributes:
        rotation: float64 (bits, bits), R, orthogonal; set by `fit`.
        projection: float64 (D, bits), V R; set by `fit`.
        errors: ||B - X R||^2 / N after each iteration; never rises.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            iterations: Number of alternations.
        """

        iterations: int = Field(default=50, ge=1, le=100_000)

    info = ComponentInfo(
        title="Iterative Quantisation",
        paper="Gong, Lazebnik, CVPR 2011; Gong, Lazebnik, Gordo, Perronnin, TPAMI 2013",
        citation="gong2013itq",
    )
    params: Params
    rotation: Tensor
    errors: tuple[float, ...]

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Find V, and learn R from its random start."""
        directions = principal_directions(centred, self.bits, method="itq")
        self.rotation = random_rotation(self.bits, generator)
        X, errors = centred @ directions, []
        for _ in range(self.params.iterations):
            B = sgn(X @ self.rotation)
            U, _, Wt = torch.linalg.svd(B.T @ X)
            self.rotation = Wt.T @ U.T
            errors.append(float((B - X @ self.rotation).square().sum()) / len(X))
        self.errors = tuple(errors)
        self.projection = directions @ self.rotation
