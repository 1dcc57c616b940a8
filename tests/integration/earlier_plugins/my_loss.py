"""My loss: say in one line what this loss does."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.interface import HashBatch, HashLoss, LossTerms


class MyLoss(HashLoss):
    """Inner products of codes follow label similarity: name the paper, year and equation here.

    With h = tanh(u) (n, bits) and s_ij = 1 if two images share a label, else -1::

        L = mean_ij (<h_i, h_j> / bits - s_ij)^2 + quantisation * mean_ik (|h_ik| - 1)^2
    """

    class Params(BaseParams):
        """Parameters: ``quantisation``, the weight of the second term."""

        quantisation: float = Field(0.1, ge=0)

    name: ClassVar[str] = "my_loss"
    info: ClassVar[ComponentInfo] = ComponentInfo(
        "My loss",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch: outputs (n, bits) with gradient, labels (n, classes) multi-hot."""
        codes = batch.outputs.tanh()
        similar = (batch.labels @ batch.labels.T > 0).float() * 2 - 1
        pair = (codes @ codes.T / codes.shape[1] - similar).square().mean()
        quantisation = (codes.abs() - 1).square().mean()
        terms = {"pair": pair, "quantisation": quantisation}
        return LossTerms(terms, {"quantisation": self.params.quantisation})
