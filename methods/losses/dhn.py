"""DHN: pairwise likelihood of raw outputs, and a smooth pull towards +-1."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import PairLoss, Pairs, PairWeight
from hashbench.methods.building_blocks.primitives import log_cosh, sgn
from hashbench.methods.interface import HashBatch, LossTerms


class DHN(PairLoss):
    r"""Deep Hashing Network (Zhu, Long, Wang and Cao, AAAI 2016).

    With outputs u (n, K), theta_ij = <u_i, u_j> / 2, s_ij = 1 if two images share a label, over all
    ordered pairs of the batch, an image with itself included::

        L = mean_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ] + a mean_ik log cosh(|u_ik| - 1)

    ``pairs: buffer`` takes for u_j the newest output of every training image seen so far, without
    gradient. Defaults: a = 0.1, pairs in the batch, no balancing. The preset ``paper`` has the
    paper's in-batch pairs with the a of the public re-implementation, whose preset ``deephash``
    differs from it by the buffer.

    Traps avoided: log cosh does not overflow, which from | |u| - 1 | = 89 on it would, written as
    it reads; theta is not clipped; training images not seen yet are no partners; an output of
    exactly 0, where |u| has no derivative, is pulled towards its code's +1.

    Terms: ``likelihood`` and ``quantisation`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `DHN`.

        Attributes:
            quantisation: a.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        quantisation: float = Field(0.1, ge=0)
        pairs: Pairs = Pairs.BATCH
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "paper": {"quantisation": 0.1, "pairs": "batch", "pair_weight": "none"},
            "deephash": {"quantisation": 0.1, "pairs": "buffer", "pair_weight": "none"},
        }

    info = ComponentInfo(
        title="Deep Hashing Network",
        paper="Zhu, Long, Wang and Cao, AAAI 2016",
        citation="zhu2016dhn",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = batch.outputs
        terms = {
            "likelihood": self.likelihood(outputs, batch),
            # cosh is even, so this is | |u| - 1 | within, but with a derivative at 0.
            "quantisation": log_cosh(outputs - sgn(outputs)).mean(),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})
