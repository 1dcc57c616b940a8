"""DCH: a pairwise likelihood with the long tail of the Cauchy distribution."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import PairWeight, pair_mean, similar_pairs
from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.interface import HashBatch, HashLoss, LossTerms

_LARGEST_COSINE = 0.99


class DCH(HashLoss):
    r"""Deep Cauchy Hashing (Cao, Long, Liu and Wang, CVPR 2018).

    With outputs u (n, K), d(a, b) = (K / 2) (1 - min(cos(a, b), 0.99)), d_ij = d(u_i, u_j),
    s_ij = 1 if two images share a label, S the pairs i != j of the batch, S1 and S0 the similar
    and dissimilar ones among them::

        L_c = (1/|S|) sum_ij w_ij [ s_ij log(d_ij / gamma) + log(1 + gamma / d_ij) ]
        w_ij = |S| / |S1| if s_ij = 1, else |S| / |S0|
        L_q = mean_i log(1 + d(|u_i|, 1) / gamma)     1: the vector of ones
        L   = L_c + lambda L_q

    that is, the mean of log(1 + d_ij / gamma) over similar pairs plus the mean of
    log(1 + gamma / d_ij) over dissimilar ones. d_ij is the Hamming distance of saturated outputs.
    Defaults: gamma = 20, lambda = 0.1.

    There is no preset for the authors' code: it compares tanh outputs by their squared Euclidean
    distance, weighs the similar pairs alone, and penalises (|u| - 1)^2, by default not at all.
    That is another loss, which these parameters do not express.

    Traps avoided: the cosine is cut at 0.99, so that d is never 0; an image is no pair with
    itself, which would tell nothing, its d being a constant, but would count in |S1| (the preset
    ``deephash`` keeps these pairs, ``self_pairs``); a row of zeros has the cosine 0 with all, and
    no gradient; an empty S1 or S0 is left out.

    Terms: ``cauchy`` and ``quantisation`` (weight lambda).
    """

    class Params(BaseParams):
        """Parameters of `DCH`.

        Attributes:
            gamma: Scale of the Cauchy distribution: the distance at which similar and dissimilar
                are equally likely.
            quantisation: lambda.
            pair_weight: The weighting of similar and dissimilar pairs.
            self_pairs: Whether an image is paired with itself too.
        """

        gamma: float = Field(20.0, gt=0)
        quantisation: float = Field(0.1, ge=0)
        pair_weight: PairWeight = PairWeight.BALANCED
        self_pairs: bool = False

        presets: ClassVar = {
            "deephash": {
                "gamma": 20.0,
                "quantisation": 0.1,
                "pair_weight": "balanced",
                "self_pairs": True,
            },
        }

    info = ComponentInfo(
        title="Deep Cauchy Hashing",
        paper="Cao, Long, Liu and Wang, CVPR 2018",
        citation="cao2018dch",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs, gamma = batch.outputs, self.params.gamma
        similar = similar_pairs(batch.labels, batch.labels)
        counted = torch.ones_like(similar)
        if not self.params.self_pairs:
            counted.fill_diagonal_(fill_value=False)
        distances = _distances(outputs, outputs)
        # log(d / gamma) + log(1 + gamma / d) of similar pairs in one, exact where d is small.
        ratios = torch.where(similar, distances / gamma, gamma / distances)
        weight = self.params.pair_weight
        corner = outputs.new_ones(1, outputs.shape[1])
        terms = {
            "cauchy": pair_mean(ratios.log1p(), similar, weight=weight, valid=counted),
            "quantisation": (_distances(outputs.abs(), corner) / gamma).log1p().mean(),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})


def _distances(left: Tensor, right: Tensor) -> Tensor:
    """Return the distances d (n, m) of rows (n, K) and (m, K), from 0.005 K to K."""
    cosines = (unit_rows(left) @ unit_rows(right).T).clamp_max(_LARGEST_COSINE)
    return left.shape[1] / 2 * (1 - cosines)
