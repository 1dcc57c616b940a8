"""DPSH: pairwise likelihood of raw outputs against the whole training set, and a pull to signs."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import PairLoss, Pairs, PairWeight
from hashbench.methods.building_blocks.primitives import sgn
from hashbench.methods.interface import HashBatch, LossContext, LossTerms, Needs


class QuantisationScale(StrEnum):
    """The meaning of the parameter ``quantisation``: ``mean``: a; ``sum``: eta = a N / K."""

    MEAN = "mean"
    SUM = "sum"


class DPSH(PairLoss):
    r"""Deep Pairwise-Supervised Hashing (Li, Wang and Kang, IJCAI 2016).

    With outputs u (n, K), theta_ij = <u_i, u_j> / 2, s_ij = 1 if two images share a label, over all
    pairs of an image i of the batch and a training image j seen so far, itself included::

        L = mean_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ] + a mean_ik (u_ik - sgn(u_ik))^2

    u_j is the newest output of image j, up to one epoch old and without gradient; ``pairs: batch``
    takes the batch's own instead. The paper minimises sums over all N^2 pairs and all N images,
    sum_ij nll_ij + eta sum_i ||sgn(u_i) - u_i||^2, which is N^2 times the above with a = eta K / N:
    ``quantisation_scale: sum`` gives eta. The authors' code has eta = 10, which is a = 0.096 at
    5,000 images and 48 bits, the likely source of the a = 0.1 in use elsewhere. It grows as N
    falls: at the 500 images of ``digits`` and 32 bits it is a = 0.64, and all images end with one
    code. Defaults: a = 0.1 at every N and K, buffer, no balancing. ``tanh`` puts h = tanh(u) in
    place of u throughout; it is off in the paper and in both presets.

    Traps avoided: training images not seen yet are no partners; theta is not clipped; the sign has
    no gradient, and is +1 for 0, so that an output of exactly 0 is still pulled away from it.

    Terms: ``likelihood`` and ``quantisation`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `DPSH`.

        Attributes:
            quantisation: a, or eta.
            quantisation_scale: Whether ``quantisation`` is a or eta.
            tanh: Whether outputs pass a tanh before anything else.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        quantisation: float = Field(0.1, ge=0)
        quantisation_scale: QuantisationScale = QuantisationScale.MEAN
        tanh: bool = False
        pairs: Pairs = Pairs.BUFFER
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "authors": {
                "quantisation": 10.0,
                "quantisation_scale": "sum",
                "tanh": False,
                "pairs": "buffer",
                "pair_weight": "none",
            },
            "deephash": {
                "quantisation": 0.1,
                "quantisation_scale": "mean",
                "tanh": False,
                "pairs": "buffer",
                "pair_weight": "none",
            },
        }

    info = ComponentInfo(
        title="Deep Pairwise-Supervised Hashing",
        paper="Li, Wang and Kang, IJCAI 2016",
        citation="li2016dpsh",
        supervision=Supervision.LABELS,
    )
    needs = Needs(buffer=True)
    params: Params
    quantisation: float

    def setup(self, ctx: LossContext) -> None:
        """Make the buffer, and compute a where the parameter is eta."""
        super().setup(ctx)
        self.quantisation = self.params.quantisation
        if self.params.quantisation_scale is QuantisationScale.SUM:
            self.quantisation *= ctx.bits / len(ctx.labels)

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = torch.tanh(batch.outputs) if self.params.tanh else batch.outputs
        terms = {
            "likelihood": self.likelihood(outputs, batch),
            "quantisation": (outputs - sgn(outputs)).square().mean(),
        }
        return LossTerms(terms, {"quantisation": self.quantisation})
