"""IDHN: a likelihood for pairs with all or no labels in common, a regression for other pairs."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import (
    PairLoss,
    Pairs,
    PairWeight,
    label_cosine,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import logit_nll, off_binary
from hashbench.methods.interface import HashBatch, LossTerms

_ALL_SHARED = 0.99
_NONE_SHARED = 0.01


class Variant(StrEnum):
    """``authors``: the authors' own form; ``deephash``: that of the public re-implementations."""

    AUTHORS = "authors"
    DEEPHASH = "deephash"


class IDHN(PairLoss):
    r"""Improved Deep Hashing Network (Zhang, Zou, Lin, Chen and Wang, arXiv 1803.02987, 2018).

    With outputs u (n, K), v_i = u_i / (1 + |u_i|) element-wise, c_ij = <y_i, y_j> / (|y_i| |y_j|),
    and the hard pairs M_ij = 1 if c_ij > 0.99 or c_ij < 0.01, else 0, over all ordered pairs::

        L = mean_ij M_ij [ log(1 + exp(omega_ij)) - c_ij omega_ij ]
            + gamma mean_ij (1 - M_ij) r_ij + a mean_ik | |v_ik| - 1 |

        authors:   omega_ij = (beta / K) <v_i, v_j>,  r_ij = K ((<v_i, v_j> + K) / (2K) - c_ij)^2
        deephash:  omega_ij = <v_i, v_j> / 2,         r_ij = (omega_ij + K - 2 c_ij K)^2

    Defaults are the authors' code's: beta = 5, gamma = 0.1, a = 0.1, pairs within the batch. Their
    logit stays within +-5. The variant ``deephash`` halves the product in r too, so that pairs
    with c near 1 can never reach their target, and does not divide by K, so that r dominates.

    ``pairs: buffer`` compares the batch with the newest v of every training image seen; it is part
    of the preset ``deephash``. ``pair_weight: balanced`` adds up, in both means, that over the
    pairs with c_ij > 0 and that over the others.

    On single-label data all pairs are hard and r never acts. Traps avoided: an image without a
    label has c = 0 with everything, itself too, instead of 0 / 0; rows of the buffer that no image
    has written yet do not count.

    Terms: ``hard``, ``soft`` (weight gamma) and ``quantisation`` (weight a).
    """

    class Params(BaseParams):
        """Parameters of `IDHN`.

        Attributes:
            variant: The form of the loss.
            beta: Scale of the logit, for ``authors``.
            gamma: Weight of the regression of soft pairs.
            quantisation: a.
            pairs: What the images of a batch are paired with: the batch, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        variant: Variant = Variant.AUTHORS
        beta: float = Field(5.0, gt=0)
        gamma: float = Field(0.1, ge=0)
        quantisation: float = Field(0.1, ge=0)
        pairs: Pairs = Pairs.BATCH
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "authors": {
                "variant": "authors",
                "beta": 5.0,
                "gamma": 0.1,
                "quantisation": 0.1,
                "pairs": "batch",
                "pair_weight": "none",
            },
            "deephash": {
                "variant": "deephash",
                "gamma": 0.1,
                "quantisation": 0.1,
                "pairs": "buffer",
                "pair_weight": "none",
            },
        }

    info = ComponentInfo(
        title="Improved Deep Hashing Network",
        paper="Zhang, Zou, Lin, Chen and Wang, arXiv 2018, later IEEE Transactions on Multimedia",
        citation="zhang2018idhn",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        squashed = functional.softsign(batch.outputs)
        partners = self.partners(squashed, batch)
        shares = label_cosine(batch.labels, partners.labels)
        hard = (shares > _ALL_SHARED) | (shares < _NONE_SHARED)
        likelihoods, errors = self._losses(squashed, partners.outputs, shares)
        similar = similar_pairs(batch.labels, partners.labels)
        # A pair that is not of the kind counts as 0: both are means over all pairs.
        hard_losses = torch.where(hard, likelihoods, 0)
        soft_losses = torch.where(hard, 0, errors)
        terms = {
            "hard": self.pair_mean(hard_losses, similar, partners),
            "soft": self.pair_mean(soft_losses, similar, partners),
            "quantisation": off_binary(squashed).mean(),
        }
        weights = {"soft": self.params.gamma, "quantisation": self.params.quantisation}
        return LossTerms(terms, weights)

    def _losses(self, left: Tensor, right: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of pairs if they are hard and if they are soft, both (n, m)."""
        bits = left.shape[1]
        products = left @ right.T
        if self.params.variant is Variant.DEEPHASH:
            logits = products / 2
            errors = (logits + bits - 2 * bits * shares).square()
        else:
            logits = self.params.beta / bits * products
            errors = bits * ((products + bits) / (2 * bits) - shares).square()
        return logit_nll(logits, shares), errors
