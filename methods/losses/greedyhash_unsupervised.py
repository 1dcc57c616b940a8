"""GreedyHash without labels: the cosines of signs follow those of the features."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.feature_directions import (
    FeatureLoss,
    cosine_gap,
    even_rows,
)
from hashbench.methods.building_blocks.primitives import off_binary, straight_through_sgn
from hashbench.methods.interface import HashBatch, LossTerms


class GreedyHashUnsupervised(FeatureLoss):
    r"""Greedy Hash, its unsupervised form (Su, Zhang, Han and Tian, NeurIPS 2018).

    With outputs u (n, K), b_i = sgn(u_i) whose gradient is passed to u_i unchanged and unclipped,
    and features f of the training set before training, over the pairs j = i + n/2 of a batch::

        L = mean_{i <= n/2} (cos(b_i, b_j) - cos(f_i, f_j))^2 + a mean_ik | |u_ik| - 1 |^p

    The last row of an odd batch is left out of both parts, so a batch of one has the loss 0.
    Features are those of the pre-pass: they stay what they were while the network learns, as the
    authors' do, who train the last layer only. Their mean is subtracted by default (the features of
    ReLU layers are all alike otherwise); the authors leave it in. Defaults are theirs: a = 0.1,
    p = 3. Labels are never read.

    Terms: ``similarity`` and ``quantisation`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `GreedyHashUnsupervised`.

        Attributes:
            quantisation: a.
            power: p.
            centre: Whether the mean of the training set's features is subtracted.
        """

        quantisation: float = Field(0.1, ge=0)
        power: int = Field(3, ge=1)
        centre: bool = True

        presets: ClassVar = {
            "paper": {"quantisation": 0.1, "power": 3, "centre": False},
        }

    info = ComponentInfo(
        title="Greedy Hash, unsupervised",
        paper="Su, Zhang, Han and Tian, NeurIPS 2018",
        citation="su2018greedyhash",
        supervision=Supervision.NONE,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = even_rows(batch.outputs)
        features = self.directions[batch.indices[: len(outputs)]]
        deviations = off_binary(outputs, self.params.power)
        terms = {
            "similarity": cosine_gap(straight_through_sgn(outputs), features),
            "quantisation": deviations.sum() / max(deviations.numel(), 1),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})
