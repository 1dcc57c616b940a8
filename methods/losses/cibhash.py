"""CIBHash: two views of an image get similar codes, unlike those of all other images."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import second_view
from hashbench.methods.building_blocks.primitives import sgn, unit_rows
from hashbench.methods.interface import HashBatch, HashLoss, LossTerms, Needs

_LOG_EPSILON: Final = math.log(1e-8)


class CIBHash(HashLoss):
    r"""Unsupervised hashing with a contrastive information bottleneck (Qiu and others, IJCAI 2021).

    With outputs u^1 and u^2 (n, K) for two views of each image, p = 1 / (1 + e^-u) and
    z = sgn(p - 1/2) whose gradient is passed to p unchanged; the rows of both views together are
    z_1 ... z_2n, and row r' is the other view of the image of row r::

        L = -1/(2n) sum_r log [ e^{cos(z_r, z_r') / tau} / sum_{a != r} e^{cos(z_r, z_a) / tau} ]
            + beta / 2 mean_i [ KL(p^1_i || stop(p^2_i)) + KL(p^2_i || stop(p^1_i)) ]
        KL(p || q) = sum_k p_k log((p_k + eps) / (q_k + eps))
                         + (1 - p_k) log((1 - p_k + eps) / (1 - q_k + eps)),   eps = 1e-8

    A row is compared with its other view and 2n - 2 negatives, never with itself, so that a batch
    of one image has a contrastive loss of 0. Defaults are the authors' (preset ``paper``):
    tau = 0.3, beta = 0.001. Labels are never read.

    Different from the publication: the authors train Linear(4096, 1024), ReLU, Linear(1024, K) on
    the frozen fc7 features of VGG-16. No neck here has that hidden layer (``pool`` has none,
    ``mlp3`` two of the features' width); the training settings decide which layers are trained.

    Traps avoided: the sign is that of u, as in the final code (p of a tiny negative u rounds to
    1/2, whose sign would be +1); log(p + eps) and log(1 - p + eps) are taken from u, for 1 - p
    rounds to 0 from about u = 17 on.

    Terms: ``contrastive`` and ``divergence`` (the half sum of the KL; weight beta).
    """

    class Params(BaseParams):
        """Parameters of `CIBHash`.

        Attributes:
            temperature: tau.
            divergence: beta.
        """

        temperature: float = Field(0.3, gt=0)
        divergence: float = Field(0.001, ge=0)

        presets: ClassVar = {
            "paper": {"temperature": 0.3, "divergence": 0.001},
        }

    info = ComponentInfo(
        title="Contrastive Information Bottleneck Hashing",
        paper="Qiu and others, IJCAI 2021",
        citation="qiu2021cibhash",
        supervision=Supervision.NONE,
    )
    needs = Needs(views=2, augmentation="cibhash")
    params: Params

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        first, second = batch.outputs, second_view(batch)
        codes = unit_rows(_bits_of(torch.cat([first, second])))
        terms = {
            "contrastive": view_contrast(codes, temperature=self.params.temperature),
            "divergence": (_divergence(first, second) + _divergence(second, first)) / 2,
        }
        return LossTerms(terms, {"divergence": self.params.divergence})


def view_contrast(directions: Tensor, *, temperature: float) -> Tensor:
    """Return the NT-Xent loss: each row has to identify its other view among all other rows.

    Of the ``directions`` (2n, width), of norm 1, rows i and i + n are two views of one image.
    """
    rows = torch.arange(len(directions), device=directions.device)
    itself = rows[:, None] == rows
    logits = (directions @ directions.T / temperature).masked_fill(itself, -math.inf)
    return functional.cross_entropy(logits, rows.roll(len(rows) // 2))


def _bits_of(outputs: Tensor) -> Tensor:
    """Return the signs of the outputs; their gradient is passed unchanged to p, not to u."""
    likely = torch.sigmoid(outputs)
    return sgn(outputs) + (likely - likely.detach())


def _divergence(outputs: Tensor, fixed: Tensor) -> Tensor:
    """Return KL(p || q), summed over the bits, averaged over the images, without gradient to q."""
    on = torch.sigmoid(outputs) * (_log_likely(outputs) - _log_likely(fixed.detach()))
    off = torch.sigmoid(-outputs) * (_log_likely(-outputs) - _log_likely(-fixed.detach()))
    return (on + off).sum(1).mean()


def _log_likely(outputs: Tensor) -> Tensor:
    """Return log(p + eps), finite for every output."""
    floor = torch.full_like(outputs, _LOG_EPSILON)
    return torch.logaddexp(functional.logsigmoid(outputs), floor)
