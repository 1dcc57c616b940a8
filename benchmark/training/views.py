"""Views of an image as two-view losses are published with them: crop, mirror, colours, blur."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from hashbench.training.view_rules import LEAST_KERNEL, LOG_RATIO, NUMBERS, SIGMA, ViewRule

_COLOURED = 3


def draw_views(images: Tensor, rule: ViewRule, draw: torch.Generator) -> Tensor:
    """One view of every image, each by its own draw.

    Args:
        images: (n, channels, height, width), float in [0, 1]; grey images have no colours to lose.
        rule: What may change.
        draw: The CPU generator.

    Returns:
        A new tensor of the same shape.
    """
    drawn = torch.rand(len(images), NUMBERS, generator=draw).tolist()
    return torch.stack(
        [_view(image, rule, iter(row)) for image, row in zip(images, drawn, strict=True)]
    )


def _view(image: Tensor, rule: ViewRule, numbers: Iterator[float]) -> Tensor:
    cropped = _crop(image, rule.area, numbers)
    image = cropped if next(numbers) < rule.crop else image
    image = functional.horizontal_flip(image) if next(numbers) < rule.flip else image
    jittered = next(numbers) < rule.jitter
    changes = [(next(numbers), next(numbers)) for _ in rule.strengths]
    if jittered:
        image = _jitter(image, rule.strengths, changes)
    if next(numbers) < rule.grey and len(image) == _COLOURED:
        image = functional.rgb_to_grayscale(image, num_output_channels=_COLOURED)
    sigma = _between(*SIGMA, next(numbers))
    if next(numbers) < rule.blur:
        side = max(LEAST_KERNEL, 2 * (int(rule.kernel * image.shape[-1]) // 2) + 1)
        image = functional.gaussian_blur(image, [side, side], [sigma, sigma])
    return image


def _crop(image: Tensor, area: tuple[float, float], numbers: Iterator[float]) -> Tensor:
    height, width = image.shape[-2:]
    kept = _between(*area, next(numbers)) * height * width
    ratio = math.exp(_between(-LOG_RATIO, LOG_RATIO, next(numbers)))
    across = min(width, max(1, round(math.sqrt(kept * ratio))))
    down = min(height, max(1, round(math.sqrt(kept / ratio))))
    top = int(next(numbers) * (height - down + 1))
    left = int(next(numbers) * (width - across + 1))
    size = [height, width]
    cropped: Tensor = functional.resized_crop(image, top, left, down, across, size, antialias=True)
    return cropped


def _jitter(
    image: Tensor,
    strengths: tuple[float, float, float, float],
    changes: list[tuple[float, float]],
) -> Tensor:
    *factors, hue = (
        _between(-strength, strength, value)
        for strength, (value, _) in zip(strengths, changes, strict=True)
    )
    brightness, contrast, saturation = factors
    steps = (
        lambda x: functional.adjust_brightness(x, 1 + brightness),
        lambda x: functional.adjust_contrast(x, 1 + contrast),
        lambda x: functional.adjust_saturation(x, 1 + saturation),
        lambda x: functional.adjust_hue(x, hue),
    )
    for place in sorted(range(len(steps)), key=lambda step: changes[step][1]):
        image = steps[place](image)
    return image


def _between(least: float, greatest: float, share: float) -> float:
    return least + (greatest - least) * share
