"""Augment a batch of images with random numbers from a CPU generator."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from hashbench.training.batch_transforms import choose, jitter, resize_crops
from hashbench.training.views import CIBHASH, DHD, ViewRule, views_on_cpu, views_on_device

_PADDING_FRACTION = 8
_NOISE = 0.15
_FAIR = 0.5
_VIEWS: dict[str, tuple[ViewRule, ViewRule]] = {
    "cibhash": (CIBHASH, CIBHASH),
    "dhd": (DHD.weaker(0.5), DHD),
    "dhd_alexnet": (DHD.weaker(0.2), DHD),
}
_CROPS: Final = frozenset({"crop_flip", "crop_flip_jitter"})
_RESIZED_CROPS: Final = frozenset({"resized_crop", "resized_crop_jitter"})
RECOLOURED: Final = frozenset({"crop_flip_jitter", "resized_crop_jitter"})
"""Rules that also change colours."""
WINDOWED: Final = frozenset({"none", "flip"}) | _CROPS
"""Rules that take a square of the input's size out of images a little larger than that."""
_JITTER: Final = (0.4, 0.4, 0.4, 0.1)
_AREA: Final = (0.08, 1.0)
_LOG_RATIO: Final = math.log(4 / 3)
_TRIES: Final = 10


def augment(
    images: Tensor, rule: str, draw: torch.Generator, *, view: int = 0, size: int | None = None
) -> Tensor:
    """Augment a batch; every image gets its own random numbers.

    Args:
        images: (n, channels, height, width).
        rule: ``none``; ``flip`` mirrors half of the images; ``crop_flip`` also shifts each image by
            up to an eighth of its side, mirrored pixels filling the border (out of larger images a
            square is drawn instead, see `window_places`); ``resized_crop`` resizes a crop of 8 to
            100 % of the area, with sides in the ratio 3:4 to 4:3, and mirrors half; either with
            ``_jitter`` changes brightness, contrast and saturation by up to 40 % and the hue by up
            to a tenth of the circle too; ``noise`` adds normal noise of deviation 0.15 to every
            pixel; ``cibhash``, ``dhd`` and ``dhd_alexnet`` are the views that these losses were
            published with.
        draw: A CPU generator, so that runs on CPU and GPU see the same augmentation.
        view: 0 for the first view of the images, 1 for the second, which under ``dhd`` is changed
            more strongly.
        size: Side that ``resized_crop`` resizes to; None for the images' own.

    Returns:
        A new tensor, of the same shape unless ``size`` says another; or ``images`` itself for
        ``none``.
    """
    if rule == "none":
        return images
    if rule in _VIEWS:
        views = views_on_cpu if images.device.type == "cpu" else views_on_device
        return views(images, _VIEWS[rule][view], draw)
    if rule == "noise":
        return images + _NOISE * torch.randn(images.shape, generator=draw).to(
            images.device, non_blocking=True
        )
    if rule in _CROPS:
        images = _shift(images, draw)
    if rule in _RESIZED_CROPS:
        height, width = images.shape[-2:]
        boxes = draw_boxes(len(images), height, width, draw)
        images = resize_crops(images, boxes, size=(size or height, size or width))
    mirrored = torch.rand(len(images), generator=draw) < _FAIR
    images = choose(mirrored, images.flip(3), images)
    return recolour(images, draw) if rule in RECOLOURED else images


def window_places(
    count: int, left_out: int, rule: str, draw: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Choose the place of a square in each larger image, and whether it is mirrored.

    Args:
        count: Number of images.
        left_out: How much larger they are, in pixels.
        rule: One of `WINDOWED`; those that crop draw a place, the others take the middle.
        draw: A CPU generator; None draws nothing.

    Returns:
        First rows and first columns, int64 (n,); bool (n,), or None if nothing is mirrored.
    """
    middle = torch.full((2, count), round(left_out / 2))
    if draw is None or rule == "none":
        return middle[0], middle[1], None
    tops, lefts = middle
    if rule in _CROPS:
        tops, lefts = torch.randint(0, left_out + 1, (2, count), generator=draw)
    return tops, lefts, torch.rand(count, generator=draw) < _FAIR


def draw_boxes(count: int, height: int, width: int, draw: torch.Generator) -> Tensor:
    """Draw crops as torchvision's ``RandomResizedCrop`` draws them.

    Area and ratio are drawn up to ten times until a crop fits; else the crop is the middle, cut to
    the nearest ratio.

    Returns:
        int64 (n, 4): top, left, height and width.
    """
    share, log_ratio = torch.rand(2, count, _TRIES, generator=draw).double()
    area = (_AREA[0] + (_AREA[1] - _AREA[0]) * share) * height * width
    ratio = torch.exp(_LOG_RATIO * (2 * log_ratio - 1))
    wide, tall = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fitting = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
    first = fitting.int().argmax(1, keepdim=True)
    wide, tall = wide.gather(1, first)[:, 0], tall.gather(1, first)[:, 0]
    places = torch.rand(2, count, generator=draw).double()
    top, left = (places[0] * (height - tall + 1)).floor(), (places[1] * (width - wide + 1)).floor()
    boxes = torch.stack([top, left, tall, wide], 1).long()
    return torch.where(fitting.any(1, keepdim=True), boxes, _middle_box(height, width))


def _middle_box(height: int, width: int) -> Tensor:
    tall, wide = min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3))
    return torch.tensor([(height - tall) // 2, (width - wide) // 2, tall, wide])


def recolour(images: Tensor, draw: torch.Generator) -> Tensor:
    """Change the colours of float images (n, channels, H, W) as ``ColorJitter`` draws them."""
    strengths = torch.tensor(_JITTER)
    amounts = strengths * (2 * torch.rand(len(images), len(_JITTER), generator=draw) - 1)
    amounts[:, :3] += 1
    order = torch.rand(len(images), len(_JITTER), generator=draw).argsort(1)
    return jitter(images, amounts, order)


def _shift(images: Tensor, draw: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    pad = max(1, height // _PADDING_FRACTION)
    offsets = torch.randint(0, 2 * pad + 1, (2, count), generator=draw)
    # A blocking copy would stop the device in every step.
    offsets = offsets.to(images.device, non_blocking=True)
    padded = functional.pad(images, (pad, pad, pad, pad), mode="reflect")
    rows = offsets[0][:, None] + torch.arange(height, device=images.device)
    columns = offsets[1][:, None] + torch.arange(width, device=images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(
        0, 3, 1, 2
    )
