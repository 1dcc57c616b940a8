"""BiHalf: balanced signs in training, whose cosines follow those of the features."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.feature_directions import (
    FeatureLoss,
    cosine_gap,
    even_rows,
)
from hashbench.methods.interface import HashBatch, LossContext, LossTerms


class BiHalf(FeatureLoss):
    r"""Deep unsupervised hashing by maximal bit entropy (Li and van Gemert, AAAI 2021).

    With outputs u (n, K) and features f of the training set before training, b = `half_signs` of
    u: in every column the floor(n/2) largest values are +1, the others -1. Over the pairs
    j = i + n/2 of a batch::

        L = mean_{i <= n/2} (cos(b_i, b_j) - cos(f_i, f_j))^2
        backward:  dL/du = dL/db + gamma (u - b) / (n K)

    The last row of an odd batch is left out before b is made, so a batch of one has the loss 0.
    Default gamma = 6, the authors'. Features are those of the pre-pass: they stay what they were
    while the network learns, as the authors' do, who train the last layer only. Their mean is
    subtracted by default (the features of ReLU layers are all alike otherwise); the authors leave
    it in. Labels are never read.

    The authors' network is in training mode as a whole, so that dropout makes f noisy.
    ``dropout_features`` drops entries of the compared (so centred, if ``centre``) features anew in
    each step; by default none. It leaves the input of the hash layer alone.

    Traps avoided: codes are plain signs, since the layer is in this loss and nowhere else (used at
    test time, it makes an image's code depend on its batch and costs most of the mAP); equal values
    are split by a stable sort.

    Terms: ``similarity``. The pull by gamma is in the gradient only.
    """

    class Params(BaseParams):
        """Parameters of `BiHalf`.

        Attributes:
            gamma: The pull of outputs to their bit.
            dropout_features: Share of the features' entries dropped in each step.
            centre: Whether the mean of the training set's features is subtracted.
        """

        gamma: float = Field(6.0, ge=0)
        dropout_features: float = Field(0.0, ge=0, lt=1)
        centre: bool = True

        presets: ClassVar = {
            "paper": {"gamma": 6.0, "dropout_features": 0.5, "centre": False},
        }

    info = ComponentInfo(
        title="Bi-half layer (maximal bit entropy)",
        paper="Li and van Gemert, AAAI 2021",
        citation="li2021bihalf",
        supervision=Supervision.NONE,
    )
    params: Params

    def setup(self, ctx: LossContext) -> None:
        """Compute the directions of the features, and keep the generator of their dropout."""
        super().setup(ctx)
        self._generator = ctx.generator

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = even_rows(batch.outputs)
        features = self._dropped(self.directions[batch.indices[: len(outputs)]])
        codes = half_signs(outputs, self.params.gamma)
        return LossTerms({"similarity": cosine_gap(codes, features)})

    def _dropped(self, features: Tensor) -> Tensor:
        """Set some entries of features to 0; the others keep their size, as only cosines count."""
        if self.params.dropout_features == 0:
            return features
        drawn = torch.rand(features.shape, generator=self._generator).to(features.device)
        return features * (drawn >= self.params.dropout_features)


def half_signs(outputs: Tensor, gamma: float) -> Tensor:
    """Give +1 to the larger half of each column and -1 to the rest; for training only.

    Forward, the floor(n/2) largest values of a column become +1 (of equal ones, those of earlier
    rows), all others -1. Backward, with b the result, n rows and K columns::

        grad_u = grad_b + gamma (u - b) / (n K)

    The second part is the gradient of gamma / 2 mean_ik (u_ik - b_ik)^2, whatever weight the caller
    gives to a loss of b. Codes are never made by this function: whether an image is in the larger
    half depends on the other images of its batch.

    Example:
        >>> half_signs(torch.tensor([[3.0], [2.0], [5.0], [4.0]]), 6.0).flatten().tolist()
        [-1.0, -1.0, 1.0, 1.0]
    """
    result: Tensor = _HalfSigns.apply(outputs, gamma)
    return result


# The `ctx` of autograd has no type that declares the attributes set on it.
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
