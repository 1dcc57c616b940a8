"""Changes of colour of a whole batch, each image by its own amount.

What `torchvision.transforms.v2.functional` does to one image at a time.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_LUMA: Final = (0.2989, 0.587, 0.114)  # the weights that torchvision has
_COLOURED: Final = 3
_SECTORS: Final = 6


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
    # A colour's channel is its highest value less the spread times a trapeze around the circle.
    turns = torch.tensor([5.0, 3.0, 1.0], device=images.device)[:, None, None]
    around = (turns + _SECTORS * hue[:, None]).remainder(_SECTORS)
    trapeze = torch.minimum(around, 4 - around).clamp(0, 1)
    return (highest[:, None] - spread[:, None] * trapeze).clamp(0, 1)


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
            # Found on the CPU: the device is never asked how many there are.
            chosen = (turn == which).nonzero()[:, 0].to(images.device, non_blocking=True)
            if len(chosen):
                images[chosen] = change(images[chosen], amounts_there[chosen, which])
    return images


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    share = _each(factors)
    return (images * share + others * (1 - share)).clamp(0, 1)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]
