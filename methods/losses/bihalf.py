"""BiHalf: balanced signs in training, whose cosines follow those of the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.half_pairs import cosine_gap, even_rows
from hashbench.methods.building_blocks.half_signs import half_signs
from hashbench.methods.building_blocks.prepass_directions import prepass_directions
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms, Needs


class BiHalf(HashLoss):
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

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "paper": {"gamma": 6.0, "dropout_features": 0.5, "centre": False},
        }

    info = ComponentInfo(
        title="Bi-half layer (maximal bit entropy)",
        paper="Li and van Gemert, AAAI 2021",
        citation="li2021bihalf",
        supervision=Supervision.NONE,
    )
    needs: ClassVar[Needs] = Needs(prepass=True)
    params: Params
    directions: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Take the features' directions, float32 (N, D)."""
        directions = prepass_directions(ctx, centre=self.params.centre)
        # They follow from what every run is given again, so a checkpoint has no place for them.
        self.register_buffer("directions", directions, persistent=False)
        self._generator = ctx.generator

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        outputs = even_rows(batch.outputs)
        features = self._dropped(self.directions[batch.indices[: len(outputs)]])
        codes = half_signs(outputs, self.params.gamma)
        return LossTerms({"similarity": cosine_gap(codes, features)})

    def _dropped(self, features: Tensor) -> Tensor:
        """Features with some entries at 0; the others keep their size, as only cosines count."""
        if self.params.dropout_features == 0:
            return features
        drawn = torch.rand(features.shape, generator=self._generator).to(features.device)
        return features * (drawn >= self.params.dropout_features)
