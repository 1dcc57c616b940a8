"""HSC: supervised contrast of tanh outputs joined with a classifier (our reconstruction)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.classifier import ClassifierLoss, label_cross_entropy
from hashbench.methods.building_blocks.pairs import label_cosine
from hashbench.methods.building_blocks.primitives import masked_mean, off_binary, unit_rows
from hashbench.methods.interface import HashBatch, LossTerms


class HSC(ClassifierLoss):
    r"""HSC-Loss, our reconstruction: only its description in words is public, no formula.

    The source calls it a contrastive loss that includes a classification loss. Ours: with outputs
    u (n, K), h_i = tanh(u_i), z_i = h_i / ||h_i||, logits o_i = W h_i + b with W (C, K),
    w_ij = <y_i, y_j> / (|y_i| |y_j|) for j != i and w_ii = 0, and A the anchors with a w_ij > 0::

        L     = L_con + lambda_c L_cls + lambda_q L_q
        L_con = -1/|A| sum_{i in A} 1/(sum_j w_ij)
                sum_{j != i} w_ij log [ exp(z_i.z_j / tau) / sum_{a != i} exp(z_i.z_a / tau) ]
        L_cls = softmax cross entropy of o_i and y_i / sum(y_i)
        L_q   = mean_ik (|h_ik| - 1)^2

    For saturated h, z_i.z_j = 1 - 2 d_H / K: the contrast acts on the Hamming distance itself.
    Defaults: tau = 0.2, lambda_c = 0.5, lambda_q = 0.1; a weight of 0 gives the ablations.

    L_con is 0 when no anchor has a positive. An image without a label is still a negative for
    the others. Where a second view is given, its rows join the batch with the labels repeated, so
    that every labelled anchor has a positive; that helps when classes outnumber a quarter of
    the batch.

    Terms: ``contrastive``, ``classification`` (weight lambda_c), ``quantisation`` (lambda_q).
    """

    class Params(BaseParams):
        """Parameters of `HSC`.

        Attributes:
            temperature: tau.
            contrastive: Weight of L_con; 0 is an ablation.
            classification: lambda_c.
            quantisation: lambda_q.
        """

        temperature: float = Field(0.2, gt=0)
        contrastive: float = Field(1.0, ge=0)
        classification: float = Field(0.5, ge=0)
        quantisation: float = Field(0.1, ge=0)

        presets: ClassVar = {
            "contrast_only": {"contrastive": 1.0, "classification": 0.0, "quantisation": 0.0},
            "classification_only": {"contrastive": 0.0, "classification": 0.5, "quantisation": 0.0},
            "no_quantisation": {"contrastive": 1.0, "classification": 0.5, "quantisation": 0.0},
        }

    info = ComponentInfo(
        title="HSC-Loss",
        paper="Huang, master's thesis Deep Hash Image Retrieval Based On Vision Transformer",
        citation="huang2023hsc",
        supervision=Supervision.LABELS,
        reconstruction=True,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs, labels = batch.outputs, batch.labels
        if batch.second is not None:
            outputs, labels = torch.cat([outputs, batch.second]), torch.cat([labels, labels])
        codes = torch.tanh(outputs)
        terms = {
            "contrastive": self._contrast(unit_rows(codes), labels),
            "classification": label_cross_entropy(self.classifier(codes), labels),
            "quantisation": off_binary(codes, 2).mean(),
        }
        weights = {name: float(getattr(self.params, name)) for name in terms}
        return LossTerms(terms, weights)

    def _contrast(self, directions: Tensor, labels: Tensor) -> Tensor:
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        weights = label_cosine(labels, labels).masked_fill(itself, 0)
        # Not -inf, whose product with the weight 0 of a self pair would be NaN.
        masked = torch.finfo(directions.dtype).min / 2
        logits = (directions @ directions.T / self.params.temperature).masked_fill(itself, masked)
        log_shares = logits - logits.logsumexp(1, keepdim=True)
        pulls = weights.sum(1)
        has_positive = pulls > 0
        pulls = torch.where(has_positive, pulls, 1)
        return masked_mean(-(weights * log_shares).sum(1) / pulls, has_positive)
