"""The views of `hashbench.training.views`, drawn the same, made for the whole batch at once."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from hashbench.training.colours import grey, jitter
from hashbench.training.resizing import resize_crops
from hashbench.training.view_rules import LEAST_KERNEL, LOG_RATIO, NUMBERS, SIGMA, ViewRule

_COLOURED: Final = 3


def make_views(images: Tensor, rule: ViewRule, draw: torch.Generator) -> Tensor:
    """One view of every image; see `hashbench.training.views.draw_views`, whose numbers it draws.

    Args:
        images: (n, channels, height, width), float in [0, 1], on any device.
        rule: What may change.
        draw: The CPU generator.

    Returns:
        A new tensor of the same shape; up to rounding what `draw_views` returns.
    """
    drawn = torch.rand(len(images), NUMBERS, generator=draw, dtype=torch.float32).double()
    cropped, flipped, jittered = drawn[:, 4], drawn[:, 5], drawn[:, 6]
    boxes = _boxes(images, rule, drawn[:, :4])
    height, width = images.shape[2:]
    crop = resize_crops(images, boxes, size=(height, width))
    images = _where(cropped < rule.crop, crop, images)
    images = _where(flipped < rule.flip, images.flip(3), images)
    images = _jittered(images, rule, drawn[:, 7:15], chosen=jittered < rule.jitter)
    if images.shape[1] == _COLOURED:
        images = _where(drawn[:, 15] < rule.grey, grey(images).expand_as(images), images)
    side = max(LEAST_KERNEL, 2 * (int(rule.kernel * width) // 2) + 1)
    sigmas = (SIGMA[0] + (SIGMA[1] - SIGMA[0]) * drawn[:, 16]).float()
    return _where(drawn[:, 17] < rule.blur, blur(images, sigmas, side=side), images)


def blur(images: Tensor, sigmas: Tensor, *, side: int) -> Tensor:
    """Blur each image by its own Gaussian, the border mirrored.

    Args:
        images: Float (n, channels, H, W).
        sigmas: (n,), deviations in pixels.
        side: Side of the kernel, odd.
    """
    count, channels, height, width = images.shape
    sigmas = sigmas.to(images.device, non_blocking=True)
    reach = torch.arange(side, device=images.device) - side // 2
    kernel = torch.softmax(-(reach.square()) / (2 * sigmas.square()[:, None]), dim=1)
    kernel = kernel.repeat_interleave(channels, 0)
    pad = side // 2
    planes = functional.pad(images, (pad, pad, pad, pad), mode="reflect").flatten(0, 1)[None]
    planes = functional.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    planes = functional.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    return planes.view(count, channels, height, width)


def _boxes(images: Tensor, rule: ViewRule, numbers: Tensor) -> Tensor:
    height, width = images.shape[2:]
    area, log_ratio, down, across = numbers.unbind(1)
    kept = (rule.area[0] + (rule.area[1] - rule.area[0]) * area) * height * width
    ratio = torch.exp(-LOG_RATIO + 2 * LOG_RATIO * log_ratio)
    wide = (kept * ratio).sqrt().round().clamp(1, width)
    tall = (kept / ratio).sqrt().round().clamp(1, height)
    top, left = (down * (height - tall + 1)).floor(), (across * (width - wide + 1)).floor()
    return torch.stack([top, left, tall, wide], 1).long()


def _jittered(images: Tensor, rule: ViewRule, numbers: Tensor, *, chosen: Tensor) -> Tensor:
    strengths = torch.tensor(rule.strengths, dtype=torch.float64)
    amounts = -strengths + 2 * strengths * numbers[:, 0::2]
    amounts[:, :3] += 1
    order = numbers[:, 1::2].argsort(dim=1, stable=True)
    return _where(chosen, jitter(images, amounts.float(), order), images)


def _where(chosen: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    there = chosen.to(images.device, non_blocking=True)[:, None, None, None]
    return torch.where(there, changed, images)
