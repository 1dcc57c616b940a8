"""DHD: class proxies learn from an image's weak view, and its strong view follows the weak one."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import torch
from pydantic import Field
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.classifier import label_cross_entropy
from hashbench.methods.building_blocks.pairs import second_view
from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms, Needs

_EDGE: Final = 1e-7
_LOG_EDGES: Final = (math.log(_EDGE), math.log1p(-_EDGE))


class DHD(HashLoss):
    r"""Deep Hash Distillation (Jang, Gu, Ko, Kang and Cho, ECCV 2022).

    With outputs h^t and h^s (n, K) in (-1, 1) of one network whose head ends in LayerNorm and tanh,
    for a weakly changed view of each image (the teacher) and a strongly changed one (the student),
    learnable proxies p (C, K), cos(a, b) = <a, b> / (|a| |b|) and q_i = y_i / sum(y_i)::

        L = -mean_i sum_c q_ic log softmax(cos(h^t_i, p_c) / tau)_c
            + l1 mean_i [ 1 - cos(h^s_i, stop(h^t_i)) ]  +  l2 L_q
        L_q = mean_ik [ BCE(g(h^t_ik; +1), a_ik) + BCE(g(h^t_ik; -1), 1 - a_ik) ]
        g(x; c) = exp(-((x - c) / sigma)^2 / 2) within [1e-7, 1 - 1e-7],  a_ik = 1 if h^t_ik >= 0

    Defaults are the authors', for AlexNet on ImageNet-100 (preset ``paper``): tau = 0.2,
    sigma = 0.5, l1 = l2 = 0.1. Proxies start Xavier uniform with the gain of tanh, 5/3, and learn
    at the head's rate, as theirs do.

    The views are those of the augmentation ``dhd``: the weak one has every probability times 0.5.
    With AlexNet the authors have 0.2, which is ``augmentation: dhd_alexnet``. Under a rule without
    a weak view, such as ``noise``, both are drawn alike.

    Images without a label have no share q_i: they are left out of the first mean only, where the
    released code divides by 0.

    Traps avoided: q_i is a new tensor, where the released code divides the labels in place; the
    outputs are h already (a second tanh would shrink them); a counts an output of 0 as +1, as a
    code does; log g and log(1 - g) are taken without forming g.

    Terms: ``proxy``, ``distillation`` (weight l1) and ``quantisation`` (weight l2).
    """

    class Params(BaseParams):
        """Parameters of `DHD`.

        Attributes:
            temperature: tau.
            distillation: l1.
            quantisation: l2.
            deviation: sigma.
        """

        temperature: float = Field(0.2, gt=0)
        distillation: float = Field(0.1, ge=0)
        quantisation: float = Field(0.1, ge=0)
        deviation: float = Field(0.5, gt=0)

        presets: ClassVar = {
            "paper": {
                "temperature": 0.2,
                "distillation": 0.1,
                "quantisation": 0.1,
                "deviation": 0.5,
            },
        }

    info = ComponentInfo(
        title="Deep Hash Distillation",
        paper="Jang, Gu, Ko, Kang and Cho, ECCV 2022",
        citation="jang2022dhd",
        supervision=Supervision.LABELS,
    )
    needs = Needs(views=2, augmentation="dhd", last_layer="ln_tanh")
    params: Params
    proxies: nn.Parameter

    def setup(self, ctx: LossContext) -> None:
        """Draw the proxies (classes, bits)."""
        drawn = torch.empty(ctx.labels.shape[1], ctx.bits)
        gain = nn.init.calculate_gain("tanh")
        nn.init.xavier_uniform_(drawn, gain=gain, generator=ctx.generator)
        self.proxies = nn.Parameter(drawn.to(ctx.device))

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of a batch: ``outputs`` are the teacher's, ``second`` the student's."""
        teacher = unit_rows(batch.outputs)
        student = unit_rows(second_view(batch))
        logits = teacher @ unit_rows(self.proxies).T / self.params.temperature
        terms = {
            "proxy": label_cross_entropy(logits, batch.labels),
            "distillation": 1 - (student * teacher.detach()).sum(1).mean(),
            "quantisation": binary_likelihood(batch.outputs, self.params.deviation),
        }
        return LossTerms(
            terms,
            {
                "distillation": self.params.distillation,
                "quantisation": self.params.quantisation,
            },
        )


def binary_likelihood(outputs: Tensor, deviation: float) -> Tensor:
    """Return L_q of `DHD`: the cross entropy of Gaussians at +1 and -1 with the outputs' sign.

    The outputs are h, (n, bits), and the deviation is sigma, the width of the Gaussians.
    """
    positive = outputs >= 0
    at_plus = _bell_cross_entropy((outputs - 1) / deviation, positive)
    at_minus = _bell_cross_entropy((outputs + 1) / deviation, ~positive)
    return (at_plus + at_minus).mean()


def _bell_cross_entropy(distances: Tensor, inside: Tensor) -> Tensor:
    """Return the BCE of g = exp(-d^2 / 2): -log g inside, -log(1 - g) outside."""
    log_bell = (-distances.square() / 2).clamp(*_LOG_EDGES)
    return -torch.where(inside, log_bell, (-torch.expm1(log_bell)).log())
