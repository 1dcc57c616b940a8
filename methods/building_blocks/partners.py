"""Whom the images of a batch are paired with: each other, or the newest outputs of all seen."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hashbench.methods.interface import HashBatch, LossContext


class Pairs(StrEnum):
    """``batch``: pairs within the batch; ``buffer``: the batch with all training images seen."""

    BATCH = "batch"
    BUFFER = "buffer"


class Partners(NamedTuple):
    """The second images of the pairs, m of them: the first ones are those of the batch.

    Attributes:
        outputs: (m, bits); with gradient if they are the batch's own.
        labels: (m, classes), multi-hot.
        valid: bool (m,), those that count.
        indices: int64 (m,), positions in the training set.
    """

    outputs: Tensor
    labels: Tensor
    valid: Tensor
    indices: Tensor


class PairPartners(nn.Module):
    """Gives a batch its partners, and with ``buffer`` keeps the newest outputs of every image.

    A buffer's row is written when its image passes and is up to one epoch old when it is read. Rows
    that no image has written yet do not count: left in as zeros, as public versions have them, they
    are images without label at the origin, from which the margin of DSH pushes all others away.
    The batch is in the buffer before its partners are taken, so an image is its own partner too,
    there as in a batch; the gradient flows through the batch's side alone.

    Args:
        pairs: Batch or buffer.
        ctx: Gives the number of training images, their labels, bits and device.

    Attributes:
        latest: float32 (N, bits), with ``buffer`` only.
        seen: bool (N,), with ``buffer`` only.
    """

    latest: Tensor
    seen: Tensor
    labels: Tensor

    def __init__(self, pairs: Pairs, ctx: LossContext) -> None:
        super().__init__()
        self.pairs = pairs
        if pairs is Pairs.BUFFER:
            images = len(ctx.labels)
            self.register_buffer("latest", torch.zeros(images, ctx.bits, device=ctx.device))
            seen = torch.zeros(images, dtype=torch.bool, device=ctx.device)
            self.register_buffer("seen", seen)
            # Given again to every run, so it has no place in a checkpoint.
            self.register_buffer("labels", ctx.labels, persistent=False)

    def forward(self, outputs: Tensor, batch: HashBatch) -> Partners:
        """The partners of a batch.

        Args:
            outputs: (n, bits), what is compared: the batch's outputs, or a function of them.
            batch: Gives labels and positions.
        """
        if self.pairs is Pairs.BATCH:
            everyone = torch.ones(len(outputs), dtype=torch.bool, device=outputs.device)
            return Partners(outputs, batch.labels, everyone, batch.indices)
        self.latest[batch.indices] = outputs.detach().to(self.latest.dtype)
        self.seen[batch.indices] = True
        positions = torch.arange(len(self.latest), device=outputs.device)
        return Partners(self.latest, self.labels, self.seen, positions)
