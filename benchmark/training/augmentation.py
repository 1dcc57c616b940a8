"""Augmentation of a batch, drawn by a CPU generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hashbench.training.views import CIBHASH, DHD, ViewRule, draw_views

_PADDING_FRACTION = 8
_NOISE = 0.15
_VIEWS: dict[str, tuple[ViewRule, ViewRule]] = {
    "cibhash": (CIBHASH, CIBHASH),
    "dhd": (DHD.weaker(0.5), DHD),
    "dhd_alexnet": (DHD.weaker(0.2), DHD),
}


def augment(images: Tensor, rule: str, draw: torch.Generator, *, view: int = 0) -> Tensor:
    """Augment a batch; every image gets its own draw.

    Args:
        images: (n, channels, height, width).
        rule: ``none``; ``flip`` mirrors half of the images; ``crop_flip`` also shifts each image by
            up to an eighth of its side, mirrored pixels filling the border; ``noise`` adds normal
            noise of deviation 0.15 to every pixel; ``cibhash``, ``dhd`` and ``dhd_alexnet`` are the
            views that these losses were published with.
        draw: The CPU generator, so that CPU and GPU runs see the same augmentation.
        view: Which view of the image it is, for losses that compare two: 0, or 1 for the second,
            which under ``dhd`` is changed more strongly.

    Returns:
        A new tensor of the same shape, or ``images`` itself for ``none``.
    """
    if rule == "none":
        return images
    if rule in _VIEWS:
        return draw_views(images, _VIEWS[rule][view], draw)
    if rule == "noise":
        return images + _NOISE * torch.randn(images.shape, generator=draw).to(images.device)
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
