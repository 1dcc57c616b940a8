"""HashNet: weighted pairwise likelihood of tanh outputs that sharpen into signs (continuation)."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import (
    PairLoss,
    Pairs,
    PairWeight,
    label_jaccard,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import logit_nll
from hashbench.methods.interface import HashBatch, LossTerms


class Continuation(StrEnum):
    """The growth of beta in training.

    ``progress``: sqrt(1 + growth * progress), the authors' schedule rescaled to the run.
    ``stepwise``: sqrt(floor(epoch / step_epochs) + 1), epochs counted from 0.
    ``none``: 1 throughout.
    """

    PROGRESS = "progress"
    STEPWISE = "stepwise"
    NONE = "none"


class SimilarWeight(StrEnum):
    """c_ij of similar pairs: 1, or the Jaccard index of their labels."""

    ONE = "one"
    JACCARD = "jaccard"


class HashNet(PairLoss):
    r"""HashNet: deep learning to hash by continuation (Cao, Long, Wang and Yu, ICCV 2017).

    With outputs u (n, K), h_i = tanh(beta_t u_i), theta_ij = alpha <h_i, h_j>, s_ij = 1 if two
    images share a label, S1 and S0 the similar and dissimilar pairs of the batch::

        L = (1/|S|) sum_ij w_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ]
        w_ij = c_ij |S| / |S1| if s_ij = 1, else |S| / |S0|

    that is, the mean over similar pairs plus the mean over dissimilar ones. Defaults: alpha = 10/K;
    beta_t = sqrt(1 + 50 progress), which is the authors' sqrt(1 + 0.005 iteration) over 10,000
    iterations; c_ij = 1 as in all public code (the paper: the Jaccard index of the labels, which
    is 1 for similar pairs of single-label data).

    ``pairs: buffer`` takes for h_j the newest h of every training image seen so far, without
    gradient and with the beta it had then; S1 and S0 are counted over those pairs. The preset
    ``deephash`` pairs within the batch, as that code does since September 2022; ``vts`` has the
    buffer that it had before.

    Traps avoided: the weights are the paper's, not one constant for all similar pairs; a batch in
    which all pairs are similar, or none, gives a finite loss; alpha scales the whole logit;
    training images not seen yet are no partners.

    Terms: ``pair``.
    """

    class Params(BaseParams):
        """Parameters of `HashNet`.

        Attributes:
            alpha: Scale of the logit; None for 10 / bits.
            continuation: The growth of beta in training.
            growth: Growth of beta squared over the run, for ``progress``.
            step_epochs: Epochs between two steps, for ``stepwise``.
            similar_weight: c_ij.
            pair_weight: The weighting of similar and dissimilar pairs.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
        """

        alpha: float | None = Field(None, gt=0)
        continuation: Continuation = Continuation.PROGRESS
        growth: float = Field(50.0, ge=0)
        step_epochs: int = Field(20, ge=1)
        similar_weight: SimilarWeight = SimilarWeight.ONE
        pair_weight: PairWeight = PairWeight.BALANCED
        pairs: Pairs = Pairs.BATCH

        presets: ClassVar = {
            "paper": {
                "alpha": None,
                "continuation": "progress",
                "growth": 50.0,
                "similar_weight": "jaccard",
                "pair_weight": "balanced",
                "pairs": "batch",
            },
            "deephash": {
                "alpha": 0.1,
                "continuation": "stepwise",
                "step_epochs": 20,
                "similar_weight": "one",
                "pair_weight": "balanced",
                "pairs": "batch",
            },
            "vts": {
                "alpha": 0.1,
                "continuation": "stepwise",
                "step_epochs": 20,
                "similar_weight": "one",
                "pair_weight": "balanced",
                "pairs": "buffer",
            },
        }
        added_later: ClassVar[frozenset[str]] = frozenset({"pairs"})

    info = ComponentInfo(
        title="HashNet",
        paper="Cao, Long, Wang and Yu, ICCV 2017",
        citation="cao2017hashnet",
        supervision=Supervision.LABELS,
    )
    params: Params
    _epoch = 0

    def begin_epoch(self, epoch: int) -> None:
        """Note the epoch, for the stepwise continuation."""
        self._epoch = epoch

    def beta(self, progress: float) -> float:
        """Return the sharpness beta_t of the tanh after a fraction ``progress`` of the training."""
        match self.params.continuation:
            case Continuation.PROGRESS:
                return math.sqrt(1 + self.params.growth * progress)
            case Continuation.STEPWISE:
                return math.sqrt(self._epoch // self.params.step_epochs + 1)
            case Continuation.NONE:
                return 1.0

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        alpha = self.params.alpha or 10 / batch.outputs.shape[1]
        codes = torch.tanh(self.beta(batch.progress) * batch.outputs)
        others = self.partners(codes, batch)
        similar = similar_pairs(batch.labels, others.labels)
        losses = logit_nll(alpha * codes @ others.outputs.T, similar)
        if self.params.similar_weight is SimilarWeight.JACCARD:
            overlap = label_jaccard(batch.labels, others.labels)
            losses = torch.where(similar, overlap, 1) * losses
        return LossTerms({"pair": self.pair_mean(losses, similar, others)})
