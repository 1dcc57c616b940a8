"""HSC-margin: DSH's pair term on tanh outputs joined with a classifier (our reconstruction)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.classifier import ClassifierLoss, label_cross_entropy
from hashbench.methods.building_blocks.pairs import (
    PairWeight,
    margin_losses,
    pair_mean,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import off_binary
from hashbench.methods.interface import HashBatch, LossTerms


class HSCMargin(ClassifierLoss):
    r"""HSC-Loss with a margin: a second reconstruction, for the source gives no formula.

    The source's words, a contrastive loss that includes a classification loss, fit this one as well
    as `HSC`, which is the one to take for the thesis's method. With outputs u (n, K),
    h_i = tanh(u_i), d_ij = ||h_i - h_j||^2, s_ij = 1 if two images share a label, logits
    o_i = W h_i + b with W (C, K), and the margin m = 2K, over all ordered pairs of the batch::

        L      = L_pair + lambda_c L_cls + lambda_q L_q
        L_pair = mean_ij [ s_ij d_ij + (1 - s_ij) max(m - d_ij, 0) ] / (2 m)
        L_cls  = softmax cross entropy of o_i and y_i / sum(y_i)
        L_q    = mean_ik (|h_ik| - 1)^2

    L_pair is the pair term of DSH over m, so that it has the size of the other two at any code
    length. DSH alone is poor with tanh; the classifier compensates for it. Defaults: m = 2K,
    lambda_c = 0.5, lambda_q = 0.1.

    Terms: ``pair``, ``classification`` (weight lambda_c), ``quantisation`` (lambda_q).
    """

    class Params(BaseParams):
        """Parameters of `HSCMargin`.

        Attributes:
            margin_per_bit: m / K.
            pair: Weight of L_pair; 0 is an ablation.
            classification: lambda_c.
            quantisation: lambda_q.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        margin_per_bit: float = Field(2.0, gt=0)
        pair: float = Field(1.0, ge=0)
        classification: float = Field(0.5, ge=0)
        quantisation: float = Field(0.1, ge=0)
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "pair_only": {"pair": 1.0, "classification": 0.0, "quantisation": 0.0},
            "no_quantisation": {"pair": 1.0, "classification": 0.5, "quantisation": 0.0},
        }

    info = ComponentInfo(
        title="HSC-Loss with a margin",
        paper="Huang, master's thesis Deep Hash Image Retrieval Based On Vision Transformer",
        citation="huang2023hsc",
        supervision=Supervision.LABELS,
        reconstruction=True,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        codes = torch.tanh(batch.outputs)
        margin = self.params.margin_per_bit * codes.shape[1]
        similar = similar_pairs(batch.labels, batch.labels)
        losses = margin_losses(codes, codes, similar, margin=margin) / margin
        terms = {
            "pair": pair_mean(losses, similar, weight=self.params.pair_weight),
            "classification": label_cross_entropy(self.classifier(codes), batch.labels),
            "quantisation": off_binary(codes, 2).mean(),
        }
        weights = {name: float(getattr(self.params, name)) for name in terms}
        return LossTerms(terms, weights)
