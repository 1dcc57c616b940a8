"""Losses over pairs of images: which pairs are similar, their partners, losses and means."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hashbench.methods.building_blocks.primitives import (
    logit_nll,
    masked_mean,
    squared_distances,
    unit_rows,
)
from hashbench.methods.interface import HashBatch, HashLoss, LossContext


class PairWeight(StrEnum):
    """``none``: the mean over all pairs; ``balanced``: similar and dissimilar pairs count alike."""

    NONE = "none"
    BALANCED = "balanced"


class Pairs(StrEnum):
    """``batch``: pairs within the batch; ``buffer``: the batch with all training images seen."""

    BATCH = "batch"
    BUFFER = "buffer"


class Partners(NamedTuple):
    """The second images of the pairs, m of them; the first images are those of the batch.

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
    """Pairs a batch with itself, or with a buffer of the newest outputs of all training images.

    A row of the buffer is written when its image is in a batch, and is up to one epoch old when it
    is read. Rows not written yet do not count: left in as zeros, as public versions have them, they
    are images without label at the origin, from which the margin of DSH pushes all others away.
    The batch is written before the partners are read, so an image is its own partner too, as it is
    within a batch; only the batch's own side has a gradient.

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
            # Not in a checkpoint: every run is given the labels again.
            self.register_buffer("labels", ctx.labels, persistent=False)

    def forward(self, outputs: Tensor, batch: HashBatch) -> Partners:
        """Return the partners of a batch whose outputs, or a function of them, are (n, bits)."""
        if self.pairs is Pairs.BATCH:
            everyone = torch.ones(len(outputs), dtype=torch.bool, device=outputs.device)
            return Partners(outputs, batch.labels, everyone, batch.indices)
        self.latest[batch.indices] = outputs.detach().to(self.latest.dtype)
        self.seen[batch.indices] = True
        positions = torch.arange(len(self.latest), device=outputs.device)
        return Partners(self.latest, self.labels, self.seen, positions)


class PairLoss(HashLoss):
    """Base of losses whose parameters include ``pairs`` and ``pair_weight``.

    Attributes:
        partners: Called with a batch's outputs, it returns the second images of the pairs.
    """

    params: Any
    partners: PairPartners

    def setup(self, ctx: LossContext) -> None:
        """Make the buffer of outputs, if ``pairs`` is ``buffer``."""
        self.partners = PairPartners(self.params.pairs, ctx)

    def pair_mean(self, losses: Tensor, similar: Tensor, partners: Partners) -> Tensor:
        """Average a loss (n, m) over the pairs that count, weighted by ``pair_weight``."""
        weight = self.params.pair_weight
        return pair_mean(losses, similar, weight=weight, valid=partners.valid)

    def likelihood(self, outputs: Tensor, batch: HashBatch) -> Tensor:
        """Return `pair_likelihood` of the batch's outputs, or a function of them, (n, bits)."""
        partners, weight = self.partners(outputs, batch), self.params.pair_weight
        return pair_likelihood(outputs, batch.labels, partners=partners, weight=weight)


def labelled(labels: Tensor) -> Tensor:
    """Return which images have a label, bool (n,), from multi-hot labels (n, classes)."""
    return labels.sum(1) > 0


def similar_pairs(left: Tensor, right: Tensor) -> Tensor:
    """Return which pairs share a label, bool (n, m): s_ij = 1 if <y_i, y_j> > 0.

    Labels are multi-hot, (n, classes) and (m, classes). An image without a label is similar to
    nothing, not even itself.
    """
    return left @ right.T > 0


def label_jaccard(left: Tensor, right: Tensor) -> Tensor:
    """Return the Jaccard index |y_i and y_j| / |y_i or y_j| of multi-hot labels, (n, m).

    It is 0 where neither image has a label.
    """
    shared = left @ right.T
    either = left.sum(1, keepdim=True) + right.sum(1) - shared
    return shared / either.clamp_min(1)


def label_cosine(left: Tensor, right: Tensor) -> Tensor:
    """Return the cosine <y_i, y_j> / (|y_i| |y_j|) of multi-hot labels, (n, m).

    It is 0 where an image has no label.
    """
    return unit_rows(left) @ unit_rows(right).T


def margin_losses(left: Tensor, right: Tensor, similar: Tensor, *, margin: float) -> Tensor:
    """Return the contrastive margin loss of every pair: d_ij / 2 or max(m - d_ij, 0) / 2.

    d_ij is the squared Euclidean distance of rows (n, bits) and (m, bits), and the hinge is on it,
    not on its root. The pairs of ``similar``, bool (n, m), are pulled together, all others pushed
    apart.
    """
    distances = squared_distances(left, right)
    return torch.where(similar, distances, (margin - distances).clamp_min(0)) / 2


def pair_mean(
    losses: Tensor, similar: Tensor, *, weight: PairWeight, valid: Tensor | None = None
) -> Tensor:
    """Average a loss over pairs; 0 if no pair counts.

    ``balanced`` is the mean over similar pairs plus the mean over dissimilar ones. It equals the
    weights |S|/|S1| and |S|/|S0| of HashNet, divided by |S|; an empty side is left out, where those
    weights are infinite.

    Args:
        losses: (n, m), the loss of each pair.
        similar: bool (n, m).
        weight: The weighting of the two kinds of pair.
        valid: bool, of a shape that broadcasts to (n, m): the pairs that count; None for all.
    """
    counted = similar | ~similar if valid is None else valid
    if weight is PairWeight.NONE:
        return masked_mean(losses, counted)
    return masked_mean(losses, counted & similar) + masked_mean(losses, counted & ~similar)


def pair_likelihood(
    outputs: Tensor, labels: Tensor, *, partners: Partners, weight: PairWeight
) -> Tensor:
    """Average log(1 + exp(theta_ij)) - s_ij theta_ij over pairs, theta_ij = <u_i, u_j> / 2.

    It is the likelihood of DPSH, DHN and DBDH for the outputs (n, bits) and labels (n, classes) of
    a batch. theta is not clipped: the likelihood is stable as it is, and a clipped pair has no
    gradient.
    """
    similar = similar_pairs(labels, partners.labels)
    losses = logit_nll(outputs @ partners.outputs.T / 2, similar)
    return pair_mean(losses, similar, weight=weight, valid=partners.valid)


def second_view(batch: HashBatch) -> Tensor:
    """Return the outputs (n, bits) of the second view of a batch's images.

    Raises:
        ValueError: If the batch has only one view, as it has unless ``needs.views`` is 2.
    """
    if batch.second is None:
        raise ValueError("the loss compares two views of an image, and the batch has only one")
    return batch.second
