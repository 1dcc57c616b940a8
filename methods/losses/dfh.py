"""DFH: pairwise likelihood with a margin, and codes pulled to binary centres that are learned."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.centres import CentreLoss, CentreMethod
from hashbench.methods.building_blocks.discrete_codes import coordinate_sweep
from hashbench.methods.building_blocks.pairs import (
    PairPartners,
    Pairs,
    PairWeight,
    pair_mean,
    similar_pairs,
)
from hashbench.methods.building_blocks.primitives import sgn, softplus
from hashbench.methods.interface import HashBatch, LossContext, LossTerms, Needs

_STEPS, _STEP = 200, 0.03  # of the relaxed centre step
_SMALLER = (149, 179)  # from these steps on, counted from 0, it is a tenth of what it was


class CentreStep(StrEnum):
    """The step by which the centres follow the codes of a batch.

    ``discrete``: one sweep over the classes, each centre exactly the best with the others fixed.
    ``relaxed``: 200 gradient steps on real-valued centres, whose signs are the centres.
    """

    DISCRETE = "discrete"
    RELAXED = "relaxed"


class DFH(CentreLoss):
    r"""Push for Quantization: Deep Fisher Hashing (Li, Pei and van Gemert, BMVC 2019).

    With outputs u (n, K), theta_ij = <u_i, u_j> / 2, s_ij = 1 if two images share a label, binary
    class centres O (C, K), labels y_i over their number (``normalised_labels``; as they are
    without), and the code of an image b_i = sgn(mu O^T y_i + u_i), without gradient::

        L = mean_ij [ (1 - s_ij) log(1 + exp(m + theta_ij)) + s_ij log(1 + exp(m - theta_ij)) ]
            + eta mean_ik (b_ik - u_ik)^2

    of a batch against the newest outputs of all training images seen (``pairs: batch``: of the
    batch). m = 0 is the plain likelihood. Every step then moves the centres, from the next step on,
    with the B (n, K) and Y (n, C) of its batch.

    ``centre_step: discrete``, the authors' choice, lowers, and never raises::

        ||B - Y O||_F^2 + nu sum_{c != c'} <o_c, o_c'>
        o_c = sgn( q_c - sum_{c' != c} (<y_.c', y_.c> + nu) o_c' ),   Q = Y^T B,   c = 1..C in order

    where an exact 0 keeps the old bit. A class that the batch lacks is moved away from the sum of
    the other centres. ``relaxed`` makes 200 gradient steps on real-valued V (C, K), O = sgn(V)::

        mean (Y V - B)^2 + nu mean (V V^T - K (2I - 11^T))^2 + rho mean (V - sgn(V))^2

    of 0.03, a tenth of that from the 150th on and again from the 180th. Its optimum has all pairs
    of centres at distance K, which no three can be; the term spreads them. Its step is limited
    where 0.03 would diverge, with few classes and long codes: to the inverse of
    4 nu K max(4, C - 2) / C^2.

    Defaults: mu = 1, nu = 1, eta = 0.5, m = 0, the authors' (preset ``authors``). Preset
    ``deephash`` is a public version's: m = 3, mu = 0.1, rho = 1, relaxed, labels as they are. In
    both the centres start as zeros; here they start as class centres of the kind ``centres``
    (`make_centres` has them), so that no code or centre ever holds a 0.

    Traps avoided: images not seen yet are no partners; no exp of an unbounded theta; an image
    without a label has the code sgn(u), not a division by 0.

    Terms: ``pair`` and ``quantisation`` (weight eta).
    """

    class Params(BaseParams):
        """Parameters of `DFH`.

        Attributes:
            margin: m.
            centre_weight: mu.
            separation: nu.
            quantisation: eta.
            centre_quantisation: rho, of the relaxed centre step.
            centre_step: The step of the centres.
            normalised_labels: Whether the labels of an image are divided by their number.
            centres: The way to make the first centres.
            pairs: What a batch is paired with: itself, or a buffer.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        margin: float = Field(0.0, ge=0)
        centre_weight: float = Field(1.0, ge=0)
        separation: float = Field(1.0, ge=0)
        quantisation: float = Field(0.5, ge=0)
        centre_quantisation: float = Field(1.0, ge=0)
        centre_step: CentreStep = CentreStep.DISCRETE
        normalised_labels: bool = True
        centres: CentreMethod = CentreMethod.MAXHD
        pairs: Pairs = Pairs.BUFFER
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "authors": {
                "margin": 0.0,
                "centre_weight": 1.0,
                "separation": 1.0,
                "quantisation": 0.5,
                "centre_quantisation": 1.0,
                "centre_step": "discrete",
                "normalised_labels": True,
                "centres": "maxhd",
                "pairs": "buffer",
                "pair_weight": "none",
            },
            "deephash": {
                "margin": 3.0,
                "centre_weight": 0.1,
                "separation": 1.0,
                "quantisation": 0.5,
                "centre_quantisation": 1.0,
                "centre_step": "relaxed",
                "normalised_labels": False,
                "centres": "maxhd",
                "pairs": "buffer",
                "pair_weight": "none",
            },
        }

    info = ComponentInfo(
        title="Push for Quantization: Deep Fisher Hashing",
        paper="Li, Pei and van Gemert, BMVC 2019",
        citation="li2019dfh",
        supervision=Supervision.LABELS,
    )
    needs = Needs(buffer=True)
    params: Params
    relaxed: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make the first centres (classes, bits), and the buffer of outputs if there is one."""
        super().setup(ctx)
        if self.params.centre_step is CentreStep.RELAXED:
            self.register_buffer("relaxed", self.centres.clone())
        self.partners = PairPartners(self.params.pairs, ctx)

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch; move the centres, from the next batch on."""
        outputs, partners = batch.outputs, self.partners(batch.outputs, batch)
        similar = similar_pairs(batch.labels, partners.labels)
        theta = outputs @ partners.outputs.T / 2
        losses = softplus(self.params.margin + torch.where(similar, -theta, theta))
        labels = self._label_columns(batch.labels)
        codes = sgn(self.params.centre_weight * labels @ self.centres + outputs.detach())
        self._move_centres(labels, codes)
        weight, valid = self.params.pair_weight, partners.valid
        terms = {
            "pair": pair_mean(losses, similar, weight=weight, valid=valid),
            "quantisation": (codes - outputs).square().mean(),
        }
        return LossTerms(terms, {"quantisation": self.params.quantisation})

    def _label_columns(self, labels: Tensor) -> Tensor:
        if not self.params.normalised_labels:
            return labels
        return labels / labels.sum(1, keepdim=True).clamp_min(1)

    @torch.no_grad()
    def _move_centres(self, labels: Tensor, codes: Tensor) -> None:
        nu = self.params.separation
        if self.params.centre_step is CentreStep.DISCRETE:
            self.centres.copy_(swept_centres(self.centres, labels, codes=codes, separation=nu))
            return
        rho = self.params.centre_quantisation
        moved = descended_centres(
            self.relaxed, labels, codes=codes, separation=nu, quantisation=rho
        )
        self.relaxed.copy_(moved)
        self.centres.copy_(sgn(moved))


def swept_centres(centres: Tensor, labels: Tensor, *, codes: Tensor, separation: float) -> Tensor:
    """Sweep once over the classes, lowering ||B - Y O||_F^2 + nu sum_{c != c'} <o_c, o_c'>.

    The centres O (classes, bits) are left as they are; labels (n, classes) are Y, codes B.
    """
    # With the classes as the "bits" of K codes, it is the quadratic form that a sweep lowers.
    return coordinate_sweep(centres.T, codes.T @ labels, labels.T @ labels + separation).T


def descended_centres(
    centres: Tensor, labels: Tensor, *, codes: Tensor, separation: float, quantisation: float
) -> Tensor:
    """Make the 200 gradient steps of the relaxed centre step, and return the new V.

    The centres V (classes, bits) are left as they are; labels are Y, codes B, weights nu and rho.
    """
    (classes, bits), count = centres.shape, len(codes)
    gram, towards = labels.T @ labels, labels.T @ codes
    target = bits * (2 * torch.eye(classes, dtype=centres.dtype, device=centres.device) - 1)
    result, step = centres, _step_size(classes, bits, separation=separation)
    for number in range(_STEPS):
        within = (gram @ result - towards) * (2 / (bits * count))
        between = (result @ result.T - target) @ result * (4 / classes**2)
        rounding = (result - sgn(result)) * (2 / (bits * classes))
        step = step / 10 if number in _SMALLER else step
        result = result - step * (within + separation * between + quantisation * rounding)
    return result


def _step_size(classes: int, bits: int, *, separation: float) -> float:
    """Return 0.03, or less where the separating term curves too much for it."""
    curvature = separation * 4 * bits / classes**2 * max(4, classes - 2)
    return min(_STEP, 1 / curvature) if curvature > 0 else _STEP
