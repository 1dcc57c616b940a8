"""GreedyHash: classify the sign itself, with the gradient passed straight through it."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.classifier import (
    ClassifierLoss,
    first_label,
    label_cross_entropy,
)
from hashbench.methods.building_blocks.pairs import labelled
from hashbench.methods.building_blocks.primitives import (
    masked_mean,
    off_binary,
    straight_through_sgn,
)
from hashbench.methods.interface import HashBatch, LossTerms


class MultilabelTarget(StrEnum):
    """``softmax``: all labels of an image in equal shares; ``argmax``: its first label only."""

    SOFTMAX = "softmax"
    ARGMAX = "argmax"


class GreedyHash(ClassifierLoss):
    r"""Greedy Hash (Su, Zhang, Han and Tian, NeurIPS 2018).

    With outputs u (n, K), b_i = sgn(u_i) whose gradient is passed to u_i unchanged and unclipped,
    and logits o_i = W b_i, W (C, K) without bias::

        L = CE(o_i, y_i) + a mean_ik | |u_ik| - 1 |^p

    Defaults are the authors' for CIFAR-10: a = 0.1, p = 3. The published code trains on the first
    label of an image with several (``multilabel: argmax``); the default is the softmax cross
    entropy with the normalised label vector. Images without a label are skipped.

    Traps avoided: W belongs to this module, so it is optimised (left out, it acts as random
    class centres); sgn(0) = +1.

    Terms: ``classification`` and ``quantisation`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `GreedyHash`.

        Attributes:
            quantisation: a.
            power: p.
            multilabel: The target of an image with several labels.
        """

        quantisation: float = Field(0.1, ge=0)
        power: int = Field(3, ge=1)
        multilabel: MultilabelTarget = MultilabelTarget.SOFTMAX

        presets: ClassVar = {
            "paper": {"quantisation": 0.1, "power": 3, "multilabel": "argmax"},
            "paper_imagenet": {"quantisation": 1.0, "power": 3, "multilabel": "argmax"},
            "deephash": {"quantisation": 0.1, "power": 3, "multilabel": "argmax"},
        }

    info = ComponentInfo(
        title="Greedy Hash",
        paper="Su, Zhang, Han and Tian, NeurIPS 2018",
        citation="su2018greedyhash",
        supervision=Supervision.LABELS,
    )
    params: Params
    bias = False

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        labels = batch.labels
        if self.params.multilabel is MultilabelTarget.ARGMAX:
            labels = first_label(labels)
        logits = self.classifier(straight_through_sgn(batch.outputs))
        deviations = off_binary(batch.outputs, self.params.power)
        terms = {
            "classification": label_cross_entropy(logits, labels),
            "quantisation": masked_mean(deviations, labelled(labels)[:, None]),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})
