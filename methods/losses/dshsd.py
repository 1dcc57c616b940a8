"""DSHSD: DSH's margin loss on tanh outputs, as a light companion of a classifier."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.classifier import ClassifierLoss, label_cross_entropy
from hashbench.methods.building_blocks.pairs import (
    PairWeight,
    margin_losses,
    pair_mean,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import logit_nll
from hashbench.methods.interface import HashBatch, LossContext, LossTerms


class DSHSD(ClassifierLoss):
    r"""Deep Supervised Hashing based on Stable Distribution (IEEE Access 2019).

    The formula is that of a public re-implementation, DeepHash-pytorch. With outputs u (n, K),
    h_i = tanh(u_i), d_ij = ||h_i - h_j||^2, s_ij = 1 if two images share a label, logits
    o_i = W h_i, W (C, K) without bias, and the margin m = 2K, over all ordered pairs of the batch::

        L = L_cls + a mean_ij [ s_ij d_ij / 2 + (1 - s_ij) max(m - d_ij, 0) / 2 ]
        single-label data:  L_cls = mean_i CE(o_i, y_i)
        multi-label data:   L_cls = mean_i sum_c [ log(1 + exp(o_ic)) - y_ic o_ic ]

    Defaults: a = 0.05, m = 2K. An image without a label belongs to no class: in multi-label data
    it counts in L_cls, and in the pairs it is similar to nothing, itself included.

    Traps avoided: W belongs to this module, so it is optimised (that code leaves it out, and it
    acts as random class centres); the form of L_cls follows the kind of the labels, not the
    dataset's name; it is computed from logits, finite however large they are.

    Terms: ``classification`` and ``pair`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `DSHSD`.

        Attributes:
            pair: a.
            margin_per_bit: m / K.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        pair: float = Field(0.05, ge=0)
        margin_per_bit: float = Field(2.0, gt=0)
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "deephash": {"pair": 0.05, "margin_per_bit": 2.0, "pair_weight": "none"},
        }

    info = ComponentInfo(
        title="Deep Supervised Hashing based on Stable Distribution",
        paper="IEEE Access 2019, by way of DeepHash-pytorch",
        citation="dshsd2019",
        supervision=Supervision.LABELS,
    )
    bias = False
    params: Params
    _multilabel = False

    def setup(self, ctx: LossContext) -> None:
        """Make the classifier W."""
        super().setup(ctx)
        self._multilabel = ctx.multilabel

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        codes = torch.tanh(batch.outputs)
        margin = self.params.margin_per_bit * codes.shape[1]
        similar = similar_pairs(batch.labels, batch.labels)
        losses = margin_losses(codes, codes, similar, margin=margin)
        terms = {
            "classification": self._classification(self.classifier(codes), batch.labels),
            "pair": pair_mean(losses, similar, weight=self.params.pair_weight),
        }
        return LossTerms(terms, {"pair": self.params.pair})

    def _classification(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self._multilabel:
            return logit_nll(logits, labels).sum(1).mean()
        return label_cross_entropy(logits, labels)
