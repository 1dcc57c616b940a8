"""CSQ: each bit of the output is classified as the bit of its class's fixed centre."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.centres import CentreMethod, MergedCentreLoss
from hashbench.methods.building_blocks.pairs import labelled
from hashbench.methods.building_blocks.primitives import logit_nll, masked_mean, off_binary
from hashbench.methods.interface import HashBatch, LossTerms


class CSQ(MergedCentreLoss):
    r"""Central Similarity Quantization (Yuan et al., CVPR 2020).

    With outputs u (n, K), h_i = tanh(u_i), and t_i in {-1, +1}^K the centre of image i (the
    majority vote of its classes' centres; tied bits follow a random vector drawn once)::

        L = mean_ik BCE((h_ik + 1) / 2, (t_ik + 1) / 2) + lambda mean_ik (|h_ik| - 1)^2

    The paper writes the quantisation term with log cosh, all public code with the square. Defaults:
    lambda = 1e-4, centres ``maxhd``; the authors use Hadamard rows (preset ``paper``), which need a
    code length that is a power of two and, with few classes, leave bits constant. Images without a
    label are skipped.

    Traps avoided: the BCE is the one with logits, of 2u, finite for a saturated tanh; the tie
    vector is in {-1, +1}, so no target is 0.

    Terms: ``centre`` and ``quantisation`` (weight lambda).
    """

    class Params(BaseParams):
        """Parameters of `CSQ`.

        Attributes:
            quantisation: lambda.
            centres: The way to make the class centres.
        """

        quantisation: float = Field(1e-4, ge=0)
        centres: CentreMethod = CentreMethod.MAXHD

        presets: ClassVar = {
            "paper": {"quantisation": 0.05, "centres": "hadamard"},
            "deephash": {"quantisation": 1e-4, "centres": "hadamard"},
        }

    info = ComponentInfo(
        title="Central Similarity Quantization",
        paper="Yuan et al., CVPR 2020",
        citation="yuan2020csq",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        targets = self.image_centres(batch.labels)
        counted = labelled(batch.labels)[:, None]
        cross_entropies = logit_nll(2 * batch.outputs, (targets + 1) / 2)
        terms = {
            "centre": masked_mean(cross_entropies, counted),
            "quantisation": masked_mean(off_binary(torch.tanh(batch.outputs), 2), counted),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})
