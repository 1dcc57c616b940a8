"""OrthoHash: softmax, with a margin, over the cosines with fixed class centres."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import ClassVar, Final

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.centres import CentreLoss, CentreMethod
from hashbench.methods.building_blocks.classifier import label_cross_entropy
from hashbench.methods.building_blocks.primitives import unit_rows
from hashbench.methods.interface import HashBatch, LossTerms, Needs

_END: Final = 0.99999  # of the cosines whose angle is taken: at 1 its slope is infinite


class MarginForm(StrEnum):
    """The place of the margin: ``cos``: off the cosine; ``arc`` (OrthoArc): onto the angle."""

    COS = "cos"
    ARC = "arc"


class OrthoHash(CentreLoss):
    r"""OrthoHash (Hoe, Ng, Zhang, Chan, Song and Xiang, NeurIPS 2021), and OrthoArc.

    With outputs u (n, K) of a head that ends in BatchNorm, fixed class centres O (C, K),
    cos_ic = <u_i, O_c> / (|u_i| |O_c|), a margin m and a scale s::

        L = -mean_i sum_c q_ic log softmax(l_i)_c,   q_i = y_i / sum(y_i)
        cos:  l_ic = s (cos_ic - m y_ic)
        arc:  l_ic = s cos(arccos(clamp(cos_ic, -0.99999, 0.99999)) + m y_ic)

    Every positive class of an image bears the margin. On single-label data it is the ordinary cross
    entropy. There is no quantisation term: the cosine is largest at a binary code. Images without
    a label are skipped.

    Defaults: ``cos``, m = 0.2, s = sqrt(K), centres ``maxhd`` (the paper: ``bernoulli``). The
    supplement finds m of 0.3 to 0.5 better on COCO, and s = sqrt(2) log(C - 1) about as good.

    Traps avoided: the shares q hold on all multi-label data, where the released code turns them on
    for one dataset and trains others on an image's first label; s follows the code length, where
    that code has 8, right for 64 bits only (preset ``authors``). BatchNorm gives each bit a mean of
    zero; a head without it is refused.

    Terms: ``classification``.
    """

    class Params(BaseParams):
        """Parameters of `OrthoHash`.

        Attributes:
            variant: The place of the margin.
            margin: m.
            scale: s; None for sqrt(K).
            centres: The way to make the class centres.
        """

        variant: MarginForm = MarginForm.COS
        margin: float = Field(0.2, ge=0)
        scale: float | None = Field(None, gt=0)
        centres: CentreMethod = CentreMethod.MAXHD

        presets: ClassVar = {
            "paper": {"variant": "cos", "margin": 0.2, "scale": None, "centres": "bernoulli"},
            "authors": {"variant": "cos", "margin": 0.2, "scale": 8.0, "centres": "bernoulli"},
        }

    info = ComponentInfo(
        title="OrthoHash",
        paper="Hoe, Ng, Zhang, Chan, Song and Xiang, NeurIPS 2021",
        citation="hoe2021orthohash",
        supervision=Supervision.LABELS,
    )
    needs = Needs(last_layer="bn")
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        given = self.params.scale
        scale = math.sqrt(batch.outputs.shape[1]) if given is None else given
        cosines = unit_rows(batch.outputs) @ unit_rows(self.centres).T
        logits = scale * self._with_margin(cosines, batch.labels)
        return LossTerms({"classification": label_cross_entropy(logits, batch.labels)})

    def _with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        margins = self.params.margin * labels
        if self.params.variant is MarginForm.COS:
            return cosines - margins
        return torch.cos(torch.acos(cosines.clamp(-_END, _END)) + margins)
