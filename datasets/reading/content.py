"""Which images of a dataset are equal, pixel by pixel."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def content_numbers(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the contents of images: equal numbers, equal pixels.

    Args:
        images: uint8 (N, ...); may be memory-mapped, and is read one image at a time.

    Returns:
        int64 (N,): 0 for the first image and all that are equal to it, and so on.
    """
    known: dict[bytes, int] = {}
    return np.fromiter(
        (
            known.setdefault(hashlib.sha256(image.tobytes()).digest(), len(known))
            for image in images
        ),
        dtype=np.int64,
        count=len(images),
    )


def copies_in(
    numbers: NDArray[np.int64], these: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find images that have an equal one, other than themselves, in another list.

    Args:
        numbers: int64 (N,), of `content_numbers`.
        these: int64, rising positions of the images asked about.
        others: int64, rising positions of the list looked through.

    Returns:
        int64: those of ``these``, rising.
    """
    counts = np.bincount(numbers[others], minlength=int(numbers.max(initial=0)) + 1)
    elsewhere = counts[numbers[these]] - np.isin(these, others)
    return these[elsewhere > 0]
