"""DPN: a hinge that polarises each output bit to the side of its class centre's bit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.centres import (
    CentreMethod,
    MergedCentreLoss,
    hamming_distances,
)
from hashbench.methods.building_blocks.pairs import labelled
from hashbench.methods.building_blocks.primitives import masked_mean, sgn
from hashbench.methods.interface import HashBatch, LossContext, LossTerms, OutputAccess


class MultilabelCentre(StrEnum):
    """``merge``: one centre, by majority vote; ``sum``: the hinges of all classes of an image."""

    MERGE = "merge"
    SUM = "sum"


class BitReduction(StrEnum):
    """The reduction of the hinges of an image's bits: their sum or their mean."""

    SUM = "sum"
    MEAN = "mean"


class DPN(MergedCentreLoss):
    r"""Deep Polarized Network (Fan, Ng, Ju, Zhang and Chan, IJCAI 2020).

    With outputs u (n, K), class centres O (C, K), and t_i in {-1, +1}^K the centre of image i (the
    majority vote of its classes' centres; tied bits follow a random vector drawn once)::

        merge:  L = mean_i sum_k max(m - u_ik t_ik, 0) + reg mean_ik u_ik^2
        sum:    L = mean_i sum_{c: y_ic = 1} sum_k max(m - u_ik O_ck, 0) + reg mean_ik u_ik^2

    The two agree on single-label data. Defaults: m = 1, sum over bits as the authors have it,
    ``merge``, reg = 0, centres ``maxhd``. Images without a label are skipped.

    With ``update_rate`` r > 0, after every epoch O_c becomes the sign of the mean of sgn(u) over
    the fraction r of the class's training images nearest to the present centre; a class without
    images, or one that would get another class's centre, keeps its own.

    Ternary codes (bits with |u| < m set to 0) are not offered: a code here is binary, and in the
    training pass the threshold stops the gradient, which is known to ruin the method.

    Terms: ``polarisation`` and ``regulariser`` (weight reg).
    """

    class Params(BaseParams):
        """Parameters of `DPN`.

        Attributes:
            margin: m.
            regulariser: reg.
            bit_reduction: Sum or mean over bits.
            multilabel: The centres of an image with several labels.
            centres: The way to make the class centres.
            update_rate: r, the fraction of a class that moves its centre; 0 keeps centres fixed.
        """

        margin: float = Field(1.0, gt=0)
        regulariser: float = Field(0.0, ge=0)
        bit_reduction: BitReduction = BitReduction.SUM
        multilabel: MultilabelCentre = MultilabelCentre.MERGE
        centres: CentreMethod = CentreMethod.MAXHD
        update_rate: float = Field(0.0, ge=0, le=1)

        presets: ClassVar = {
            "paper": {
                "margin": 1.0,
                "regulariser": 0.0,
                "bit_reduction": "sum",
                "multilabel": "sum",
                "centres": "bernoulli",
                "update_rate": 0.0,
            },
            "deephash": {
                "margin": 1.0,
                "regulariser": 0.0,
                "bit_reduction": "mean",
                "multilabel": "merge",
                "centres": "bernoulli_half",
                "update_rate": 0.0,
            },
        }

    info = ComponentInfo(
        title="Deep Polarized Network",
        paper="Fan, Ng, Ju, Zhang and Chan, IJCAI 2020",
        citation="fan2020dpn",
        supervision=Supervision.LABELS,
    )
    params: Params
    training_labels: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make the class centres (classes, bits) and the signs of tied bits; keep the labels."""
        super().setup(ctx)
        # Not in a checkpoint: every run is given the labels again.
        self.register_buffer("training_labels", ctx.labels, persistent=False)

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        hinges = self._hinges(batch.outputs, batch.labels).sum(1)
        if self.params.bit_reduction is BitReduction.MEAN:
            hinges = hinges / batch.outputs.shape[1]
        counted = labelled(batch.labels)
        terms = {
            "polarisation": masked_mean(hinges, counted),
            "regulariser": masked_mean(batch.outputs.square(), counted[:, None]),
        }
        return LossTerms(terms, {"regulariser": self.params.regulariser})

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        """Move the centres, if they are adaptive."""
        del epoch
        if self.params.update_rate > 0:
            codes = sgn(outputs.outputs())
            for one in range(len(self.centres)):
                self._move_centre(one, codes[self.training_labels[:, one] > 0])

    def _hinges(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the hinges of every bit, (n, bits), summed over the centres of each image."""
        towards_plus = (self.params.margin - outputs).clamp_min(0)
        towards_minus = (self.params.margin + outputs).clamp_min(0)
        if self.params.multilabel is MultilabelCentre.MERGE:
            targets = self.image_centres(labels)
            return torch.where(targets > 0, towards_plus, towards_minus)
        # Counting each image's centres by bit avoids the (n, classes, bits) tensor.
        plus = labels @ (self.centres > 0).to(labels.dtype)
        minus = labels @ (self.centres < 0).to(labels.dtype)
        return plus * towards_plus + minus * towards_minus

    def _move_centre(self, one: int, codes: Tensor) -> None:
        if len(codes) == 0:
            return
        count = max(1, round(self.params.update_rate * len(codes)))
        distances = hamming_distances(codes, self.centres[one : one + 1])[:, 0]
        nearest = codes[distances.argsort(stable=True)[:count]]
        moved = sgn(nearest.mean(0))
        same = (self.centres == moved).all(1)
        same[one] = False
        if not same.any():
            self.centres[one] = moved
