"""DSH: contrastive margin on squared distances of raw outputs, with a pull towards +-1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.interface import HashBatch, HashLoss, LossTerms
from hashbench.methods.pairs import PairWeight, margin_losses, pair_mean, similar_pairs
from hashbench.methods.primitives import off_binary


class DSH(HashLoss):
    r"""Deep Supervised Hashing (Liu, Wang, Shan and Chen, CVPR 2016).

    With outputs u (n, K), d_ij = ||u_i - u_j||^2, s_ij = 1 if two images share a label, and the
    margin m = 2K, over all ordered pairs of the batch::

        L = mean_ij [ s_ij d_ij / 2 + (1 - s_ij) max(m - d_ij, 0) / 2 ]
            + 2 a mean_i sum_k | |u_ik| - 1 |

    The factor 2 is there because the paper adds the penalty of both members of every pair.
    Defaults are those of the authors' code: a = 0.01, m = 2K.

    Traps avoided: no tanh on the outputs, which can collapse them to one code; the margin follows
    the code length; the hinge is on the squared distance; the penalty compares |u| with 1, not
    the sign of u, which has no gradient.

    Terms: ``pair`` and ``quantisation`` (weight 2a).
    """

    class Params(BaseParams):
        """Parameters of `DSH`.

        Attributes:
            margin_per_bit: m / K.
            quantisation: a.
            pair_weight: How similar and dissimilar pairs weigh.
        """

        margin_per_bit: float = Field(2.0, gt=0)
        quantisation: float = Field(0.01, ge=0)
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "paper": {"margin_per_bit": 2.0, "quantisation": 0.01, "pair_weight": "none"},
        }

    info = ComponentInfo(
        title="Deep Supervised Hashing",
        paper="Liu, Wang, Shan and Chen, CVPR 2016",
        citation="liu2016dsh",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        outputs = batch.outputs
        margin = self.params.margin_per_bit * outputs.shape[1]
        similar = similar_pairs(batch.labels, batch.labels)
        losses = margin_losses(outputs, outputs, similar, margin=margin)
        terms = {
            "pair": pair_mean(losses, similar, weight=self.params.pair_weight),
            "quantisation": off_binary(outputs).sum(1).mean(),
        }
        return LossTerms(terms, {"quantisation": 2 * self.params.quantisation})
