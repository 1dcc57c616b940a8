"""Hold the images of one role, on the device or in memory, and bring batches to the device.

However images are held, equal positions give equal bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.training.prefetch import Prefetcher

HEAD_ROOM: Final = 0.4
"""Share of a card's memory that images leave for the network and for other processes."""
_AHEAD: Final = 2
_UPLOAD_BYTES: Final = 1 << 28


class Pixels(ABC):
    """Decoded images from which batches are taken.

    Args:
        images: uint8 (M, H, W, channels); may be memory-mapped, and is never copied as a whole.
        positions: int64 (N,), the images to hold.
        device: The device of the batches.

    Attributes:
        shape: (N, H, W, channels).
    """

    def __init__(
        self, images: NDArray[np.uint8], positions: NDArray[np.int64], *, device: torch.device
    ) -> None:
        self.shape: tuple[int, ...] = (len(positions), *images.shape[1:])
        self._device = device

    @abstractmethod
    def take(self, indices: Tensor) -> Tensor:
        """Whole images, uint8 (n, H, W, channels), on the device; positions int64 (n,)."""

    @abstractmethod
    def windows(self, indices: Tensor, tops: Tensor, lefts: Tensor, *, size: int) -> Tensor:
        """A square of each image, uint8 (n, size, size, channels), on the device.

        Args:
            indices: int64 (n,), positions.
            tops: int64 (n,), first row of each square, on the CPU.
            lefts: int64 (n,), first column of each square, on the CPU.
            size: Side of the squares.
        """

    def prefetch(  # noqa: B027 - not every kind fetches
        self, batches: Sequence[Tensor], positions: Sequence[Tensor]
    ) -> None:
        """Start to fetch the batches that are taken next, in order; by default, do nothing.

        Args:
            batches: The position tensors, on the device, that the batches are taken with; they
                are recognised by identity.
            positions: The same numbers on the CPU.
        """


class ResidentPixels(Pixels):
    """All images on the device.

    Raises:
        torch.OutOfMemoryError: If they do not fit.
    """

    def __init__(
        self, images: NDArray[np.uint8], positions: NDArray[np.int64], *, device: torch.device
    ) -> None:
        super().__init__(images, positions, device=device)
        self._held = torch.empty(self.shape, dtype=torch.uint8, device=device)
        at_once = max(1, _UPLOAD_BYTES // max(1, int(np.prod(images.shape[1:]))))
        for start in range(0, len(positions), at_once):
            part = torch.from_numpy(images[positions[start : start + at_once]])
            self._held[start : start + at_once].copy_(part)

    def take(self, indices: Tensor) -> Tensor:
        """See `Pixels.take`."""
        return self._held[indices.to(self._device, non_blocking=True)]

    def windows(self, indices: Tensor, tops: Tensor, lefts: Tensor, *, size: int) -> Tensor:
        """See `Pixels.windows`."""
        return cut(self._held, indices, tops, lefts, size=size)


class MappedPixels(Pixels):
    """Images that stay where they are, in memory or in a file mapped into it.

    On another device than the CPU, a thread fetches some batches ahead; with 0 ahead, none.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        positions: NDArray[np.int64],
        *,
        device: torch.device,
        ahead: int = _AHEAD,
    ) -> None:
        super().__init__(images, positions, device=device)
        self._images = images.view(np.ndarray)
        self._positions = positions
        self._ahead = ahead
        self._prefetcher: Prefetcher | None = None

    def take(self, indices: Tensor) -> Tensor:
        """See `Pixels.take`."""
        fetched = self._prefetcher.take(indices) if self._prefetcher else None
        if fetched is not None:
            return fetched
        rows = self._positions[indices.cpu().numpy()]
        return torch.from_numpy(self._images[rows]).to(self._device)

    def windows(self, indices: Tensor, tops: Tensor, lefts: Tensor, *, size: int) -> Tensor:
        """See `Pixels.windows`; on the CPU only the squares are read."""
        if self._device.type != "cpu":
            images = self.take(indices)
            each = torch.arange(len(images), device=self._device)
            return cut(images, each, tops, lefts, size=size)
        rows = self._positions[indices.numpy()]
        places = rows, tops.numpy(), lefts.numpy()
        return torch.from_numpy(_all_windows(self._images, size)[places])

    def prefetch(self, batches: Sequence[Tensor], positions: Sequence[Tensor]) -> None:
        """See `Pixels.prefetch`."""
        if self._prefetcher is not None:
            self._prefetcher.stop()
            self._prefetcher = None
        if self._ahead and batches:
            rows = [self._positions[part.numpy()] for part in positions]
            self._prefetcher = Prefetcher(
                self._images, batches, rows, device=self._device, ahead=self._ahead
            )


def hold(
    images: NDArray[np.uint8], positions: NDArray[np.int64], *, device: torch.device
) -> Pixels:
    """Hold images in the fastest way that their size allows; see `Pixels` for the arguments.

    On the CPU they stay where they are. On a card they are uploaded if that leaves `HEAD_ROOM` of
    its memory free, else batches are fetched ahead through pinned memory.
    """
    if device.type == "cpu":
        return MappedPixels(images, positions, device=device, ahead=0)
    wanted = len(positions) * int(np.prod(images.shape[1:]))
    free, total = torch.cuda.mem_get_info(device)
    if fits(wanted, free=free, total=total):
        try:
            return ResidentPixels(images, positions, device=device)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()  # another process was faster
    return MappedPixels(images, positions, device=device)


def fits(wanted: int, *, free: int, total: int) -> bool:
    """Whether ``wanted`` bytes of images leave enough of a card's memory free.

    Example:
        >>> fits(30, free=80, total=100), fits(50, free=80, total=100)
        (True, False)
    """
    return wanted <= free - HEAD_ROOM * total


def cut(images: Tensor, indices: Tensor, tops: Tensor, lefts: Tensor, *, size: int) -> Tensor:
    """Cut squares out of contiguous images (N, H, W, channels); see `Pixels.windows`."""
    count, height, width, channels = images.shape
    image, row, column, _ = images.stride()
    every = images.as_strided(
        (count, height - size + 1, width - size + 1, size, size, channels),
        (image, row, column, row, column, 1),
    )
    places = (part.to(images.device, non_blocking=True) for part in (indices, tops, lefts))
    return every[tuple(places)]


def _all_windows(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A view (N, H - size + 1, W - size + 1, size, size, channels): the square at every place."""
    count, height, width, channels = images.shape
    image, row, column, channel = images.strides
    return np.lib.stride_tricks.as_strided(
        images,
        (count, height - size + 1, width - size + 1, size, size, channels),
        (image, row, column, row, column, channel),
        writeable=False,
    )
