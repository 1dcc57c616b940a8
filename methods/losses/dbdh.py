"""DBDH: pairwise likelihood of clipped outputs, each of which is pulled to as many +1 as -1."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import PairLoss, Pairs, PairWeight
from hashbench.methods.interface import HashBatch, LossTerms, Needs


class DBDH(PairLoss):
    r"""Deep Balanced Discrete Hashing (Neurocomputing 2020), after a public re-implementation.

    With outputs clipped to v = min(max(u, -1), 1) (n, K), theta_ij = <v_i, v_j> / 2, s_ij = 1 if
    two images share a label, over all pairs of an image i of the batch and a training image j seen
    so far, itself included::

        L = mean_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ] + a mean_i (mean_k v_ik)^2

    The second term balances the bits within each code, not each bit over the images, and nothing
    but the clipping draws outputs towards -1 and +1: beyond them there is no gradient. v_j is the
    newest clipped output of image j, up to one epoch old and without gradient; ``pairs: batch``
    takes the batch's own instead. Defaults: a = 0.1, buffer, no balancing of pairs.

    Traps avoided: training images not seen yet are no partners; theta is not clipped a second time.

    Terms: ``likelihood`` and ``balance`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `DBDH`.

        Attributes:
            balance: a.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        balance: float = Field(0.1, ge=0)
        pairs: Pairs = Pairs.BUFFER
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "deephash": {"balance": 0.1, "pairs": "buffer", "pair_weight": "none"},
        }

    info = ComponentInfo(
        title="Deep Balanced Discrete Hashing",
        paper="Neurocomputing 2020",
        citation="dbdh2020",
        supervision=Supervision.LABELS,
    )
    needs = Needs(buffer=True)
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        clipped = batch.outputs.clamp(-1, 1)
        terms = {
            "likelihood": self.likelihood(clipped, batch),
            "balance": clipped.mean(1).square().mean(),
        }
        return LossTerms(terms, {"balance": self.params.balance})
