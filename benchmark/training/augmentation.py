"""Augmentation of a batch as tensor operations on its device, drawn by a CPU generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_PADDING_FRACTION = 8


def augment(images: Tensor, rule: str, draw: torch.Generator) -> Tensor:
    """Augment a batch; every image gets its own draw.

    Args:
        images: (n, channels, height, width).
        rule: ``none``; ``flip`` mirrors half of the images; ``crop_flip`` also shifts each image by
            up to an eighth of its side, mirrored pixels filling the border.
        draw: The CPU generator, so that CPU and GPU runs see the same augmentation.

    Returns:
        A new tensor of the same shape, or ``images`` itself for ``none``.
    """
    if rule == "none":
        return images
    if rule == "crop_flip":
        images = _shift(images, draw)
    mirrored = torch.rand(len(images), generator=draw) < 0.5  # noqa: PLR2004 - a fair coin
    flips = mirrored.to(images.device, non_blocking=True)[:, None, None, None]
    return torch.where(flips, images.flip(3), images)


def _shift(images: Tensor, draw: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    pad = max(1, height // _PADDING_FRACTION)
    offsets = torch.randint(0, 2 * pad + 1, (2, count), generator=draw)
    # A copy that is waited for would stop the device in every step.
    offsets = offsets.to(images.device, non_blocking=True)
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    rows = offsets[0][:, None] + torch.arange(height, device=images.device)
    columns = offsets[1][:, None] + torch.arange(width, device=images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )
