"""DSH: contrastive margin on squared distances of raw outputs, with a pull towards +-1."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import (
    PairLoss,
    Pairs,
    PairWeight,
    margin_losses,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import off_binary
from hashbench.methods.interface import HashBatch, LossTerms


class BitReduction(StrEnum):
    """The reduction of the penalties of an output's K bits: their sum or their mean."""

    SUM = "sum"
    MEAN = "mean"


class DSH(PairLoss):
    r"""Deep Supervised Hashing (Liu, Wang, Shan and Chen, CVPR 2016).

    With outputs u (n, K), d_ij = ||u_i - u_j||^2, s_ij = 1 if two images share a label, and the
    margin m = 2K, over all ordered pairs of the batch::

        L = mean_ij [ s_ij d_ij / 2 + (1 - s_ij) max(m - d_ij, 0) / 2 ]
            + 2 a mean_i sum_k | |u_ik| - 1 |

    The factor 2 is there because the paper adds the penalty of both members of every pair.
    Defaults are those of the authors' code: a = 0.01, m = 2K.

    ``bit_reduction: mean`` has mean_k in place of sum_k, and ``pairs: buffer`` takes for u_j the
    newest output of every training image seen so far, without gradient. The preset ``deephash`` is
    both of them with a = 0.05, that is the penalty 0.1 mean_ik | |u_ik| - 1 |; a network that is
    trained from scratch ends far below the default with it on ``digits``.

    Traps avoided: no tanh on the outputs, which can collapse them to one code; the margin follows
    the code length; the hinge is on the squared distance; the penalty compares |u| with 1, not
    the sign of u, which has no gradient; training images not seen yet are no partners, where as
    zeros they would push all outputs away from the origin.

    Terms: ``pair`` and ``quantisation`` (weight 2a).
    """

    class Params(BaseParams):
        """Parameters of `DSH`.

        Attributes:
            margin_per_bit: m / K.
            quantisation: a.
            pair_weight: The weighting of similar and dissimilar pairs.
            bit_reduction: The reduction of the penalties of an output's bits.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
        """

        margin_per_bit: float = Field(2.0, gt=0)
        quantisation: float = Field(0.01, ge=0)
        pair_weight: PairWeight = PairWeight.NONE
        bit_reduction: BitReduction = BitReduction.SUM
        pairs: Pairs = Pairs.BATCH

        presets: ClassVar = {
            "paper": {
                "margin_per_bit": 2.0,
                "quantisation": 0.01,
                "pair_weight": "none",
                "bit_reduction": "sum",
                "pairs": "batch",
            },
            "deephash": {
                "margin_per_bit": 2.0,
                "quantisation": 0.05,
                "pair_weight": "none",
                "bit_reduction": "mean",
                "pairs": "buffer",
            },
        }
        added_later: ClassVar[frozenset[str]] = frozenset({"bit_reduction", "pairs"})

    info = ComponentInfo(
        title="Deep Supervised Hashing",
        paper="Liu, Wang, Shan and Chen, CVPR 2016",
        citation="liu2016dsh",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = batch.outputs
        margin = self.params.margin_per_bit * outputs.shape[1]
        others = self.partners(outputs, batch)
        similar = similar_pairs(batch.labels, others.labels)
        losses = margin_losses(outputs, others.outputs, similar, margin=margin)
        summed = self.params.bit_reduction is BitReduction.SUM
        deviations = off_binary(outputs)
        terms = {
            "pair": self.pair_mean(losses, similar, others),
            "quantisation": (deviations.sum(1) if summed else deviations.mean(1)).mean(),
        }
        return LossTerms(terms, {"quantisation": 2 * self.params.quantisation})
