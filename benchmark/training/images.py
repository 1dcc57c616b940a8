"""An image stream over uint8 images that prepares network input batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hashbench.core.cell import DataChoice
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.training.augmentation import (
    RECOLOURED,
    WINDOWED,
    augment,
    recolour,
    window_places,
)
from hashbench.training.batch_transforms import choose
from hashbench.training.pixels import hold

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_GREY_DIMS = 3
_FINGERPRINTED_AT_ONCE = 256
_MARGIN = 8  # a window leaves out at most an eighth of the held side


class DeviceImages:
    """An `ImageStream` over uint8 images, all of them on the device if they fit; see `hold`.

    Images a little larger than the network's input, by up to an eighth of their side (256 for 224),
    are not resized: the network sees a square of its own size out of each. That is the middle one,
    or, under a rule that crops, one drawn at random.

    Args:
        images: uint8 (M, H, W) or (M, H, W, 3); may be memory-mapped, and is not copied on a CPU.
        positions: int64 (N,), the images in this stream; None for all.
        choice: Input size and name of the normalisation.
        protocol: Mean and deviation, if ``choice`` names the protocol's normalisation.
        augmentation: The augmentation rule of training batches.
        device: The device of the batches.
        channels_last: Whether batches have the channels innermost in memory; their numbers are the
            same.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        *,
        positions: NDArray[np.int64] | None = None,
        choice: DataChoice,
        protocol: ProtocolSpec,
        augmentation: str = "none",
        device: torch.device,
        channels_last: bool = False,
    ) -> None:
        if images.ndim == _GREY_DIMS:
            images = images[..., None]
        if positions is None:
            positions = np.arange(len(images))
        self._pixels = hold(images, positions, device=device)
        self._device = device
        self._size = choice.image_size
        self._augmentation = augmentation
        own = (protocol.mean, protocol.std)
        known = {"imagenet": IMAGENET, "half": HALF, "clip": CLIP, "unit": UNIT, "protocol": own}
        mean, std = known[choice.normalisation]
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._std = torch.tensor(std, device=device)[:, None, None]
        self._channels_last = channels_last
        _, height, width, _ = self._pixels.shape
        left_out = height - self._size
        self._windowed = height == width and 0 < left_out <= height // _MARGIN

    def __len__(self) -> int:
        return self._pixels.shape[0]

    def pixels(self, indices: Tensor) -> Tensor:
        """Unresized images, float32 (n, channels, height, width) in [0, 1]."""
        images = self._pixels.take(indices).permute(0, 3, 1, 2)
        return images.contiguous().float().div_(255)

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Network input, float32 (n, 3, size, size), normalised; a generator augments it."""
        rule = self._augmentation if augment_with is not None else "none"
        if self._windowed and rule in WINDOWED:
            return self._windows(indices, rule, augment_with)
        images = self.pixels(indices)
        if augment_with is not None:
            images = augment(images, rule, augment_with, view=view, size=self._size)
        if images.shape[-2:] != (self._size, self._size):
            images = functional.interpolate(
                images, size=(self._size, self._size), mode="bicubic", antialias=True
            ).clamp(0, 1)
        normalised = images.expand(-1, 3, -1, -1).sub(self._mean).div_(self._std)
        if self._channels_last:
            return normalised.contiguous(memory_format=torch.channels_last)
        return normalised

    def _windows(self, indices: Tensor, rule: str, draw: torch.Generator | None) -> Tensor:
        """Cut squares of the input's size out of larger images, then augment and normalise."""
        left_out = self._pixels.shape[1] - self._size
        tops, lefts, mirrored = window_places(len(indices), left_out, rule, draw)
        images = self._pixels.windows(indices, tops, lefts, size=self._size)
        if mirrored is not None:
            images = choose(mirrored, images.flip(2), images)
        if draw is not None and rule in RECOLOURED:
            floats = images.permute(0, 3, 1, 2).contiguous().float().div_(255)
            images = recolour(floats, draw).permute(0, 2, 3, 1).mul_(255)
        return self._normalise(images)

    def _normalise(self, images: Tensor) -> Tensor:
        """Normalise grey levels (n, size, size, channels) to network input.

        Whole rows at a time, because three channels at a time are slow on a CPU.
        """
        count, size, _, channels = images.shape
        if channels == 1 or not self._channels_last:
            planes = images.permute(0, 3, 1, 2).contiguous().float().expand(-1, 3, -1, -1)
            normalised = planes.sub(self._mean * 255).div_(self._std * 255)
            if self._channels_last:
                return normalised.contiguous(memory_format=torch.channels_last)
            return normalised
        rows = images.reshape(count, size, size * channels).float()
        mean, std = ((255 * part).flatten().repeat(size) for part in (self._mean, self._std))
        return rows.sub_(mean).div_(std).view(count, size, size, channels).permute(0, 3, 1, 2)

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in int64 tensors of at most ``size``."""
        parts = torch.split(torch.arange(len(self)), size)
        blocks = torch.split(torch.arange(len(self), device=self._device), size)
        self.prefetch(blocks, parts)
        yield from blocks

    def fingerprint(self) -> str:
        """SHA-256 of the images' bytes, in order, and of how they become network input."""
        sha = hashlib.sha256(repr((self._pixels.shape, self._size, self._windowed)).encode())
        sha.update(repr((self._mean.tolist(), self._std.tolist(), self._channels_last)).encode())
        for block in self.blocks(_FINGERPRINTED_AT_ONCE):
            sha.update(self._pixels.take(block).cpu().numpy().tobytes())
        return sha.hexdigest()

    def prefetch(self, batches: Sequence[Tensor], positions: Sequence[Tensor]) -> None:
        """Fetch the batches that come next; see `Pixels.prefetch`."""
        self._pixels.prefetch(batches, positions)
