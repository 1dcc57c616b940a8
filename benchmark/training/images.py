"""The images of one role, uint8 on the device, turned into network input batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hashbench.core.cell import DataChoice
from hashbench.datasets.interface import ImageData
from hashbench.datasets.protocol import ProtocolSpec
from hashbench.training.augmentation import augment

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_GREY_DIMS = 3


class DeviceImages:
    """An `ImageStream` over uint8 images that lie on the device as a whole.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3).
        choice: Input size and whose normalisation.
        protocol: Its mean and deviation, where ``choice`` asks for the protocol's.
        augmentation: The augmentation rule for batches that ask for it.
        device: Where the images shall lie.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        *,
        choice: DataChoice,
        protocol: ProtocolSpec,
        augmentation: str = "none",
        device: torch.device,
    ) -> None:
        grey = images.ndim == _GREY_DIMS
        ordered = images[:, None] if grey else images.transpose(0, 3, 1, 2)
        self._images = torch.from_numpy(np.ascontiguousarray(ordered)).to(device)
        self._size = choice.image_size
        self._augmentation = augmentation
        own = (protocol.mean, protocol.std)
        known = {"imagenet": IMAGENET, "half": HALF, "clip": CLIP, "unit": UNIT, "protocol": own}
        mean, std = known[choice.normalisation]
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._std = torch.tensor(std, device=device)[:, None, None]

    def __len__(self) -> int:
        return len(self._images)

    def pixels(self, indices: Tensor) -> Tensor:
        """Unresized images, float32 (n, channels, height, width) in [0, 1]."""
        return self._images[indices.to(self._images.device)].float() / 255

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Network input, float32 (n, 3, size, size), normalised; augmented if asked."""
        images = self.pixels(indices)
        if augment_with is not None:
            images = augment(images, self._augmentation, augment_with, view=view)
        if images.shape[-2:] != (self._size, self._size):
            images = functional.interpolate(
                images, size=(self._size, self._size), mode="bicubic", antialias=True
            ).clamp(0, 1)
        return (images.expand(-1, 3, -1, -1) - self._mean) / self._std

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in int64 tensors of at most ``size``."""
        positions = torch.arange(len(self), device=self._images.device)
        for start in range(0, len(self), size):
            yield positions[start : start + size]


def stream(
    data: ImageData,
    positions: NDArray[np.int64],
    *,
    choice: DataChoice,
    protocol: ProtocolSpec,
    augmentation: str = "none",
    device: torch.device,
) -> DeviceImages:
    """The images at some positions of a dataset as a `DeviceImages`."""
    return DeviceImages(
        data.images[positions],
        choice=choice,
        protocol=protocol,
        augmentation=augmentation,
        device=device,
    )
