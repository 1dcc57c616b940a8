"""Views of an image as two-view losses are published with them: crop, mirror, colours, blur."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

NUMBERS = 18  # drawn for every image, used or not, so that images do not depend on each other
_COLOURED = 3
LEAST_KERNEL = 3
LOG_RATIO = math.log(4 / 3)  # sides of a crop: from 3:4 to 4:3
SIGMA = (0.1, 2.0)


@dataclass(frozen=True, slots=True)
class ViewRule:
    """Which changes an image may undergo, each with its own probability, in this order.

    Attributes:
        crop: Probability of a crop, resized back.
        area: Least and greatest share of the image that a crop keeps; its sides are in the ratio
            3:4 to 4:3, cut down where they would leave the image.
        flip: Probability of mirroring.
        jitter: Probability of changed colours.
        strengths: Of brightness, contrast, saturation (a factor in 1 -+ strength) and hue (a shift
            in -+ strength of the circle); applied in random order.
        grey: Probability of losing the colours.
        blur: Probability of a Gaussian blur of deviation 0.1 to 2 pixels.
        kernel: Side of the blur as a share of the image's, made odd, at least 3 pixels.
    """

    crop: float
    area: tuple[float, float]
    flip: float
    jitter: float
    strengths: tuple[float, float, float, float]
    grey: float
    blur: float
    kernel: float = 0.0

    def weaker(self, share: float) -> ViewRule:
        """The same changes, each with its probability times a share."""
        return replace(
            self,
            crop=self.crop * share,
            flip=self.flip * share,
            jitter=self.jitter * share,
            grey=self.grey * share,
            blur=self.blur * share,
        )


CIBHASH = ViewRule(
    crop=1.0,
    area=(0.5, 1.0),
    flip=0.5,
    jitter=0.7,
    strengths=(0.4, 0.4, 0.4, 0.1),
    grey=0.2,
    blur=0.5,
)
DHD = ViewRule(
    crop=1.0,
    area=(0.08, 1.0),
    flip=0.5,
    jitter=0.8,
    strengths=(0.4, 0.8, 0.8, 0.2),
    grey=0.2,
    blur=0.5,
    kernel=0.1,
)


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
