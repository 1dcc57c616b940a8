"""Crops of different sizes out of a batch, all resized to one size at once."""

from __future__ import annotations

import torch
from torch import Tensor


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
    down = _weights(top, height, images.shape[2], size=size[0])
    across = _weights(left, width, images.shape[3], size=size[1])
    return down[:, None] @ images @ across[:, None].transpose(2, 3)


def _weights(start: Tensor, length: Tensor, whole: int, *, size: int) -> Tensor:
    """What each pixel of a side adds to each pixel of the result, (n, size, whole).

    A triangle around the place that a pixel of the result has in the crop, as wide as the crop is
    reduced, cut off at the crop's ends.
    """
    reduced = (length / size)[:, None, None]
    width = reduced.clamp(min=1)
    centre = reduced * (torch.arange(size, device=start.device) + 0.5)[:, None]
    place = torch.arange(whole, device=start.device) - start[:, None, None]
    inside = (place >= 0) & (place < length[:, None, None])
    weights = (1 - ((place + 0.5 - centre) / width).abs()).clamp(min=0) * inside
    return weights / weights.sum(2, keepdim=True)
