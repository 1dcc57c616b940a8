"""DTSH: the likelihood that an anchor is closer to a similar image than to a dissimilar one."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import similar_pairs
from hashbench.methods.building_blocks.primitives import sgn, softplus
from hashbench.methods.interface import HashBatch, HashLoss, LossTerms

# The authors' weight 100 on a sum over bits, beside a sum over the 50 x 50 triplets that an anchor
# has with each of nine other classes.
_AUTHORS_QUANTISATION_PER_BIT = 100 / (50 * 50 * 9)


class DTSH(HashLoss):
    r"""Deep supervised hashing with triplet labels (Wang, Shi and Kitani, ACCV 2016).

    With outputs u (n, K), theta_ij = <u_i, u_j> / 2, the positives P_i (the other images that
    share a label with i), the negatives Q_i (those that share none), and A the anchors that have
    both::

        z_ipq = theta_ip - theta_iq - a
        L = mean_{i in A} mean_{p in P_i, q in Q_i} log(1 + exp(-z_ipq))
            + lambda mean_ik (u_ik - sgn(u_ik))^2

    Defaults: a = 5, lambda = 1. With ``half: false``, theta_ij = <u_i, u_j>.

    Preset ``authors``: a = K / 2 and lambda = K / 225, which is the weight 100 they give the sum
    over bits next to a sum over 22,500 triplets an anchor on CIFAR-10. Their triplets are drawn
    from the newest outputs of the whole training set, with gradient through the anchor alone; here
    all three images are of the batch. Preset ``deephash``: theta without the half, a = 5, lambda
    = 1; the public version counts an image as a positive of itself, which is not offered.

    Traps avoided: no image is its own positive, a triplet that would only stretch the outputs; a
    batch without any triplet leaves the quantisation term. Every anchor weighs alike however many
    triplets it has, so there is no ``pair_weight``.

    The triplets are compared in a tensor of as many rows as the batch has positive (or, if they
    are fewer, negative) pairs, by n: about n^3 / C entries on C even classes, n^3 / 2 at most.

    Terms: ``triplet`` and ``quantisation`` (weight lambda).
    """

    class Params(BaseParams):
        """Parameters of `DTSH`.

        Attributes:
            half: Whether theta has the factor 1/2.
            margin: a; None for bits / 2.
            quantisation: lambda; None for bits / 225.
        """

        half: bool = True
        margin: float | None = Field(5.0, ge=0)
        quantisation: float | None = Field(1.0, ge=0)

        presets: ClassVar = {
            "authors": {"half": True, "margin": None, "quantisation": None},
            "deephash": {"half": False, "margin": 5.0, "quantisation": 1.0},
        }

    info = ComponentInfo(
        title="Deep Supervised Hashing with Triplet Labels",
        paper="Wang, Shi and Kitani, ACCV 2016",
        citation="wang2016dtsh",
        supervision=Supervision.LABELS,
    )
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        outputs = batch.outputs
        bits = outputs.shape[1]
        margin, weight = self.params.margin, self.params.quantisation
        if margin is None:
            margin = bits / 2
        if weight is None:
            weight = bits * _AUTHORS_QUANTISATION_PER_BIT
        products = outputs @ outputs.T * (0.5 if self.params.half else 1.0)
        similar = similar_pairs(batch.labels, batch.labels)
        terms = {
            "triplet": _triplet_mean(products, similar, margin=margin),
            "quantisation": (outputs - sgn(outputs)).square().mean(),
        }
        return LossTerms(terms, {"quantisation": weight})


def _triplet_mean(products: Tensor, similar: Tensor, *, margin: float) -> Tensor:
    """Average over the anchors the mean loss of their triplets; 0 if there is none."""
    itself = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    positive, negative = similar & ~itself, ~(similar | itself)
    triplets = positive.sum(1) * negative.sum(1)
    anchors = (triplets > 0)[:, None]
    positive, negative = positive & anchors, negative & anchors
    # One row for each pair of the rarer kind, one column for each image that may complete it.
    swapped = bool(positive.sum() > negative.sum())
    rarer, other = (negative, positive) if swapped else (positive, negative)
    first, second = rarer.nonzero(as_tuple=True)
    gaps = products[first, second][:, None] - products[first]
    losses = softplus(margin + gaps) if swapped else softplus(margin - gaps)
    shares = torch.where(other[first], losses, 0) / triplets[first][:, None]
    return shares.sum() / anchors.sum().clamp_min(1)
