"""The augmented views that two-view losses were published with: crop, mirror, colours, blur.

`views_on_cpu` changes image by image with torchvision, `views_on_device` the whole batch at once;
both draw the same random numbers and differ by rounding only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hashbench.training.batch_transforms import blur, choose, grey, jitter, resize_crops

_NUMBERS = 18  # drawn for every image, used or not, so that images do not depend on each other
_LEAST_KERNEL = 3
_LOG_RATIO = math.log(4 / 3)  # sides of a crop: from 3:4 to 4:3
_SIGMA = (0.1, 2.0)
_COLOURED = 3


@dataclass(frozen=True, slots=True)
class ViewRule:
    """The changes an image may undergo, in this order: a probability each, and their amounts.

    Attributes:
        area: Least and greatest share of the image that a crop keeps; its sides are in the ratio
            3:4 to 4:3, cut down where they would leave the image. A crop is resized back.
        strengths: Strengths for brightness, contrast, saturation (a factor in 1 -+ strength) and
            hue (a shift in -+ strength of the circle); applied in random order.
        kernel: Side of the Gaussian blur's kernel as a share of the image's, made odd, at least 3
            pixels; the deviation is 0.1 to 2 pixels.
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
        changes = ("crop", "flip", "jitter", "grey", "blur")
        return replace(self, **{name: getattr(self, name) * share for name in changes})

    def kernel_side(self, width: int) -> int:
        """Side of the blur's kernel in pixels, for images of a width."""
        return max(_LEAST_KERNEL, 2 * (int(self.kernel * width) // 2) + 1)


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


@dataclass(frozen=True, slots=True)
class _Draws:
    """Random choices for each of n images: five times bool (n,), and the amounts of each change."""

    cropped: Tensor
    flipped: Tensor
    jittered: Tensor
    greyed: Tensor
    blurred: Tensor
    boxes: Tensor
    amounts: Tensor
    order: Tensor
    sigmas: Tensor


def _draw(images: Tensor, rule: ViewRule, draw: torch.Generator) -> _Draws:
    numbers = torch.rand(len(images), _NUMBERS, generator=draw, dtype=torch.float32).double()
    strengths = torch.tensor(rule.strengths, dtype=torch.float64)
    amounts = -strengths + 2 * strengths * numbers[:, 7:15:2]
    amounts[:, :3] += 1
    return _Draws(
        cropped=numbers[:, 4] < rule.crop,
        flipped=numbers[:, 5] < rule.flip,
        jittered=numbers[:, 6] < rule.jitter,
        greyed=numbers[:, 15] < rule.grey,
        blurred=numbers[:, 17] < rule.blur,
        boxes=_boxes(images, rule, numbers[:, :4]),
        amounts=amounts,
        order=numbers[:, 8:16:2].argsort(dim=1, stable=True),
        sigmas=_SIGMA[0] + (_SIGMA[1] - _SIGMA[0]) * numbers[:, 16],
    )


def _boxes(images: Tensor, rule: ViewRule, numbers: Tensor) -> Tensor:
    height, width = images.shape[2:]
    area, log_ratio, down, across = numbers.unbind(1)
    kept = (rule.area[0] + (rule.area[1] - rule.area[0]) * area) * height * width
    ratio = torch.exp(-_LOG_RATIO + 2 * _LOG_RATIO * log_ratio)
    wide = (kept * ratio).sqrt().round().clamp(1, width)
    tall = (kept / ratio).sqrt().round().clamp(1, height)
    top, left = (down * (height - tall + 1)).floor(), (across * (width - wide + 1)).floor()
    return torch.stack([top, left, tall, wide], 1).long()


def views_on_device(images: Tensor, rule: ViewRule, draw: torch.Generator) -> Tensor:
    """Make one view of every image, the whole batch at once.

    Args:
        images: (n, channels, height, width), float in [0, 1], on any device; grey images keep one
            channel.
        rule: The possible changes.
        draw: The CPU generator.

    Returns:
        A new tensor of the same shape; up to rounding what `views_on_cpu` returns.
    """
    drawn = _draw(images, rule, draw)
    height, width = images.shape[2:]
    crops = resize_crops(images, drawn.boxes, size=(height, width))
    images = choose(drawn.cropped, crops, images)
    images = choose(drawn.flipped, images.flip(3), images)
    images = choose(drawn.jittered, jitter(images, drawn.amounts.float(), drawn.order), images)
    if images.shape[1] == _COLOURED:
        images = choose(drawn.greyed, grey(images).expand_as(images), images)
    blurred = blur(images, drawn.sigmas.float(), side=rule.kernel_side(width))
    return choose(drawn.blurred, blurred, images)


def views_on_cpu(images: Tensor, rule: ViewRule, draw: torch.Generator) -> Tensor:
    """Make one view of every image, one by one; see `views_on_device`.

    The codes of recorded fits depend on its rounding.
    """
    drawn, side = _draw(images, rule, draw), rule.kernel_side(images.shape[-1])
    return torch.stack([_view(image, drawn, row, side) for row, image in enumerate(images)])


def _view(image: Tensor, drawn: _Draws, row: int, side: int) -> Tensor:
    # Imported here: torchvision takes a second to import, and only these views need it.
    from torchvision.transforms.v2 import functional

    if drawn.cropped[row]:
        size, box = list(image.shape[-2:]), drawn.boxes[row].tolist()
        image = functional.resized_crop(image, *box, size, antialias=True)
    if drawn.flipped[row]:
        image = functional.horizontal_flip(image)
    if drawn.jittered[row]:
        image = _jitter(image, drawn.amounts[row].tolist(), drawn.order[row].tolist())
    if drawn.greyed[row] and len(image) == _COLOURED:
        image = functional.rgb_to_grayscale(image, num_output_channels=_COLOURED)
    if drawn.blurred[row]:
        sigma = float(drawn.sigmas[row])
        image = functional.gaussian_blur(image, [side, side], [sigma, sigma])
    return image


def _jitter(image: Tensor, amounts: Sequence[float], order: Sequence[int]) -> Tensor:
    from torchvision.transforms.v2 import functional

    changes = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    for which in order:
        image = changes[which](image, amounts[which])
    return image
