"""Crop, blur and recolour a batch at once, each image by its own amount.

The results are those of `torchvision.transforms.v2.functional`, which changes one image at a time.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_LUMA: Final = (0.2989, 0.587, 0.114)  # torchvision's weights
_COLOURED: Final = 3
_SECTORS: Final = 6


def choose(chosen: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    """Take the changed images where ``chosen``, bool (n,) on the CPU, is true."""
    there = chosen.to(images.device, non_blocking=True)[:, None, None, None]
    return torch.where(there, changed, images)


def resize_crops(images: Tensor, boxes: Tensor, *, size: tuple[int, int]) -> Tensor:
    """Crop each image to its own box and resize, bilinear with antialiasing.

    Args:
        images: Float (n, channels, H, W).
        boxes: int64 (n, 4): top, left, height and width of each, inside the image.
        size: Height and width of the result.

    Returns:
        (n, channels, *size).
    """
    top, left, height, width = boxes.to(images.device, non_blocking=True).unbind(1)
    down = _resize_weights(top, height, images.shape[2], size=size[0])
    across = _resize_weights(left, width, images.shape[3], size=size[1])
    return down[:, None] @ images @ across[:, None].transpose(2, 3)


def _resize_weights(start: Tensor, length: Tensor, whole: int, *, size: int) -> Tensor:
    """Weight of each input pixel of a side in each output pixel, (n, size, whole).

    A triangle around the output pixel's place in the crop, as wide as the crop is reduced, cut off
    at the crop's ends.
    """
    reduced = (length / size)[:, None, None]
    width = reduced.clamp(min=1)
    centre = reduced * (torch.arange(size, device=start.device) + 0.5)[:, None]
    place = torch.arange(whole, device=start.device) - start[:, None, None]
    inside = (place >= 0) & (place < length[:, None, None])
    weights = (1 - ((place + 0.5 - centre) / width).abs()).clamp(min=0) * inside
    return weights / weights.sum(2, keepdim=True)


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


def grey(images: Tensor) -> Tensor:
    """The luma of float images (n, 3, H, W) or (n, 1, H, W), as (n, 1, H, W)."""
    if images.shape[1] != _COLOURED:
        return images
    red, green, blue = images.unbind(1)
    return red.mul(_LUMA[0]).add(green, alpha=_LUMA[1]).add(blue, alpha=_LUMA[2])[:, None]


def brighten(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply float images (n, channels, H, W) by factors (n,), within [0, 1]."""
    return (images * _each(factors)).clamp(0, 1)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Blend images with the mean of their luma; 0 is flat, 1 changes nothing."""
    mean = grey(images).mean((1, 2, 3), keepdim=True)
    return _blend(images, mean, factors)


def saturate(images: Tensor, factors: Tensor) -> Tensor:
    """Blend images with their luma; 0 is grey, 1 changes nothing."""
    return _blend(images, grey(images), factors) if images.shape[1] == _COLOURED else images


def shift_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Turn the hue of images by shifts (n,), fractions of the circle; grey images stay."""
    if images.shape[1] != _COLOURED:
        return images
    highest, lowest = images.amax(1), images.amin(1)
    spread = highest - lowest
    hue = _hue(images, highest, spread) + shifts[:, None, None]
    # A colour's channel is its highest value less the spread times a trapezium around the circle.
    turns = torch.tensor([5.0, 3.0, 1.0]).to(images.device, non_blocking=True)[:, None, None]
    around = (turns + _SECTORS * hue[:, None]).remainder(_SECTORS)
    trapezium = torch.minimum(around, 4 - around).clamp(0, 1)
    return (highest[:, None] - spread[:, None] * trapezium).clamp(0, 1)


def _hue(images: Tensor, highest: Tensor, spread: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    divisor = torch.where(spread == 0, 1, spread)
    of_red = (green - blue) / divisor
    of_green = 2 + (blue - red) / divisor
    of_blue = 4 + (red - green) / divisor
    sector = torch.where(highest == red, of_red, torch.where(highest == green, of_green, of_blue))
    return sector / _SECTORS


def jitter(images: Tensor, amounts: Tensor, order: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue, each image in its own order.

    Args:
        images: Float (n, channels, H, W) in [0, 1]; not changed.
        amounts: (n, 4), on the CPU: three factors and the shift of the hue.
        order: int64 (n, 4), on the CPU: which of the four comes first, second, third, last.
    """
    images, amounts_there = images.clone(), amounts.to(images.device, non_blocking=True)
    changes = brighten, contrast, saturate, shift_hue
    for turn in order.unbind(1):
        for which, change in enumerate(changes):
            # Computed on the CPU, so that the device is not read back for the count.
            chosen = (turn == which).nonzero()[:, 0].to(images.device, non_blocking=True)
            if len(chosen):
                images[chosen] = change(images[chosen], amounts_there[chosen, which])
    return images


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    share = _each(factors)
    return (images * share + others * (1 - share)).clamp(0, 1)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
