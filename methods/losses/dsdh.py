"""DSDH: pairwise likelihood and discrete codes from which a linear classifier finds the labels."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.discrete_codes import coordinate_sweep
from hashbench.methods.building_blocks.pairs import (
    PairPartners,
    Pairs,
    PairWeight,
    pair_mean,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import logit_nll, sgn
from hashbench.methods.interface import (
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
    Needs,
    OutputAccess,
)


class NetworkStep(StrEnum):
    """The loss that the network is trained with.

    ``codes``: the likelihood and the distance to the codes B. ``likelihood``: the likelihood alone;
    then B and W, which are still learned, reach neither the network nor its codes.
    """

    CODES = "codes"
    LIKELIHOOD = "likelihood"


class DSDH(HashLoss):
    r"""Deep Supervised Discrete Hashing (Li, Sun, He and Tan, NeurIPS 2017).

    With outputs u (n, K), theta_ij = <u_i, u_j> / 2, s_ij = 1 if two images share a label, labels
    Y (N, C), codes B in {-1, +1}^(N x K) of all training images and a classifier W (K, C), the
    paper minimises::

        J = sum_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ]
            + mu ||Y - B W||_F^2 + nu ||W||_F^2 + eta ||B - U||_F^2

    in turns. The network's steps see the likelihood of a batch against the newest outputs of all
    training images seen (``pairs: batch``: of the batch), and the codes of its images::

        L = mean_ij [ log(1 + exp(theta_ij)) - s_ij theta_ij ] + eta mean_ik (b_ik - u_ik)^2

    After every epoch, ``rounds`` times, W and then B are moved to lower the other three terms::

        W    = (B^T B + (nu / mu) I)^-1 B^T Y
        b_.k = sgn( p_.k - B_{-k} W_{-k} w_k^T ),   P = Y W^T + (eta / mu) U,   k = 1..K in order

    with U the newest outputs. An exact 0 keeps the old bit, and so does an image that no step has
    seen. W follows from B, so it is not kept.

    Defaults: mu = 0.1, nu = 1, eta = 0.1, B starts as the signs of the initial network. Presets
    ``treezzz`` (mu = eta = 0.01) and ``treezzz_imagenet`` are the values of one public version, in
    which B starts at random. Preset ``deephash`` is another's: mu = nu = 1, eta = 55, ten rounds.
    Its network loss has no eta term, and what it adds for classification holds only B and W and has
    no gradient for the network, so ``network_step`` is ``likelihood`` there: eta acts on B alone.
    (It makes its rounds at every step, not every epoch; the network cannot tell.) With that eta in
    the network's step, outputs collapse.

    Traps avoided: W is solved for, in float64, not found with an inverse; images not seen yet are
    no partners; codes hold no 0.

    Terms: ``pair`` and, with ``network_step: codes``, ``quantisation`` (weight eta).
    """

    class Params(BaseParams):
        """Parameters of `DSDH`.

        Attributes:
            classification: mu.
            ridge: nu.
            quantisation: eta.
            rounds: W-steps and B-steps after an epoch.
            network_step: The loss that the network is trained with.
            pairs: What a batch is paired with: itself, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        classification: float = Field(0.1, gt=0)
        ridge: float = Field(1.0, gt=0)
        quantisation: float = Field(0.1, ge=0)
        rounds: int = Field(1, ge=1)
        network_step: NetworkStep = NetworkStep.CODES
        pairs: Pairs = Pairs.BUFFER
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "treezzz": {
                "classification": 0.01,
                "ridge": 1.0,
                "quantisation": 0.01,
                "rounds": 1,
                "network_step": "codes",
                "pairs": "buffer",
                "pair_weight": "none",
            },
            "treezzz_imagenet": {
                "classification": 5.0,
                "ridge": 5.0,
                "quantisation": 2.0,
                "rounds": 1,
                "network_step": "codes",
                "pairs": "buffer",
                "pair_weight": "none",
            },
            "deephash": {
                "classification": 1.0,
                "ridge": 1.0,
                "quantisation": 55.0,
                "rounds": 10,
                "network_step": "likelihood",
                "pairs": "buffer",
                "pair_weight": "none",
            },
        }

    info = ComponentInfo(
        title="Deep Supervised Discrete Hashing",
        paper="Li, Sun, He and Tan, NeurIPS 2017",
        citation="li2017dsdh",
        supervision=Supervision.LABELS,
    )
    needs = Needs(buffer=True)
    params: Params
    codes: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make B (N, bits) and the buffer of the newest outputs (N, bits)."""
        self.register_buffer("codes", torch.ones(len(ctx.labels), ctx.bits, device=ctx.device))
        # The B-step needs the newest outputs even if a batch is paired with itself.
        self.newest = PairPartners(Pairs.BUFFER, ctx)
        self.partners = PairPartners(Pairs.BATCH, ctx)

    def begin_training(self, outputs: OutputAccess) -> None:
        """Set the first B from the initial network."""
        self.codes.copy_(sgn(outputs.outputs()))

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch; keep its detached outputs for partners and the B-step."""
        outputs, kept = batch.outputs, self.newest(batch.outputs, batch)
        in_batch = self.params.pairs is Pairs.BATCH
        partners = self.partners(outputs, batch) if in_batch else kept
        similar = similar_pairs(batch.labels, partners.labels)
        losses = logit_nll(outputs @ partners.outputs.T / 2, similar)
        weight, valid = self.params.pair_weight, partners.valid
        terms = {"pair": pair_mean(losses, similar, weight=weight, valid=valid)}
        if self.params.network_step is NetworkStep.LIKELIHOOD:
            return LossTerms(terms)
        terms["quantisation"] = (self.codes[batch.indices] - outputs).square().mean()
        return LossTerms(terms, {"quantisation": self.params.quantisation})

    @torch.no_grad()
    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        """Solve for W and sweep over the bits of B, ``rounds`` times."""
        labels, newest, seen = self.newest.labels, self.newest.latest, self.newest.seen
        mu, pull = self.params.classification, self.params.quantisation / self.params.classification
        for _ in range(self.params.rounds):
            weights = ridge_classifier(self.codes, labels, ridge=self.params.ridge / mu)
            linear = labels @ weights.T + pull * newest
            swept = coordinate_sweep(self.codes, linear, weights @ weights.T)
            self.codes.copy_(torch.where(seen[:, None], swept, self.codes))


def ridge_classifier(codes: Tensor, labels: Tensor, *, ridge: float) -> Tensor:
    """Return the W (bits, classes) that minimises ||Y - B W||_F^2 + ridge ||W||_F^2.

    The codes B are (N, bits), the labels Y (N, classes). A ridge above 0 lets codes with equal bits
    have a W too.
    """
    bits = codes.shape[1]
    # In float64: the entries of B^T B reach N, so its condition does too, and it is small.
    ridges = ridge * torch.eye(bits, dtype=torch.float64, device=codes.device)
    towards = (codes.T @ labels).double()
    weights: Tensor = torch.linalg.solve((codes.T @ codes).double() + ridges, towards)
    return weights.to(codes.dtype)
