"""Duplicates among images: with equal pixels, and near-duplicates.

Near-duplicates are found by their difference hashes and confirmed by their pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

HASH_BITS: Final = 64
MOST_BITS: Final = 8
"""Hash bits in which near-duplicates may differ."""
MOST_DIFFERENCE: Final = 0.4
"""Root mean square difference of their pixels, as a share of the query's standard deviation."""
_ROWS, _COLUMNS = 8, 9
_GREY = np.array([299, 587, 114], dtype=np.float64)  # thousandths of red, green and blue
_GREY_DIMS = 3
_BLOCK_BYTES = 1 << 24  # of a block as float64


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two images that look alike.

    Attributes:
        query: Position of the query.
        other: Position of the other image.
        bits: Hash bits in which they differ.
        difference: Root mean square difference of their pixels, as a share of the query's standard
            deviation; above 0.
    """

    query: int
    other: int
    bits: int
    difference: float


def content_numbers(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number images so that those with equal pixels have equal numbers.

    Args:
        images: uint8 (N, ...); may be memory-mapped, and is read one image at a time.

    Returns:
        int64 (N,): 0 for the first image and all equal to it, 1 for the next other one, and so on.
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
    """Find the images of a list that have an equal one, other than themselves, in another list.

    Args:
        numbers: int64 (N,), of `content_numbers`.
        these: int64, rising positions of the images to find.
        others: int64, rising positions of the list to search.

    Returns:
        int64: those of ``these``, rising.
    """
    counts = np.bincount(numbers[others], minlength=int(numbers.max(initial=0)) + 1)
    elsewhere = counts[numbers[these]] - np.isin(these, others)
    return these[elsewhere > 0]


def difference_hashes(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Compute the 64-bit difference hash of each image, which marks where brightness rises.

    An image is averaged over 8 rows of 9 boxes; a bit is set where a box is brighter than its left
    neighbour. The sums are of whole numbers below 2^53, so they are exact in any order, and a flat
    part of an image sets no bit.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3); may be memory-mapped, and is read in blocks.

    Returns:
        uint64 (N,).
    """
    height, width = images.shape[1:3]
    colour = images.ndim > _GREY_DIMS
    rows, columns = _boxes(_ROWS, height), _boxes(_COLUMNS, width)
    size = _block_size(images)
    hashes = np.empty(len(images), dtype=np.uint64)
    for start in range(0, len(images), size):
        block = images[start : start + size].astype(np.float64)
        grey = block @ _GREY if colour else block
        small = rows @ grey @ columns.T
        rises = (small[:, :, 1:] > small[:, :, :-1]).reshape(len(block), HASH_BITS)
        hashes[start : start + size] = np.packbits(rises, axis=1).view(">u8")[:, 0]
    return hashes


def near_duplicates(
    images: NDArray[np.uint8],
    hashes: NDArray[np.uint64],
    *,
    queries: NDArray[np.int64],
    others: NDArray[np.int64],
) -> Iterator[NearPair]:
    """Find the images that look like a query but are not equal to it.

    Args:
        images: uint8 (N, H, W) or (N, H, W, 3); may be memory-mapped.
        hashes: uint64 (N,), of `difference_hashes`.
        queries: int64, positions of the queries.
        others: int64, positions of the images to search.

    Yields:
        Each pair whose hashes differ in at most 8 bits and whose pixels differ by at most 0.4
        standard deviations of the query, and in one pixel at least; by query, then by the other's
        position. Measured on CIFAR-10, these are copies with another crop, scale or tint.
    """
    for query in queries:
        distances = np.bitwise_count(hashes[others] ^ hashes[query])
        places = np.flatnonzero(distances <= MOST_BITS)
        differences = _differences(images, int(query), others[places])
        for place, difference in zip(places, differences, strict=True):
            if 0 < difference <= MOST_DIFFERENCE:
                yield NearPair(
                    int(query), int(others[place]), int(distances[place]), float(difference)
                )


def _boxes(count: int, side: int) -> NDArray[np.float64]:
    """Return the whole parts of each pixel that lie in each box of equal width: (count, side)."""
    first = np.arange(count)[:, None] * side
    pixel = np.arange(side)[None] * count
    shared = np.minimum(first + side, pixel + count) - np.maximum(first, pixel)
    parts: NDArray[np.float64] = np.maximum(shared, 0).astype(np.float64)
    return parts


def _differences(
    images: NDArray[np.uint8], query: int, others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute root mean square differences in standard deviations; infinite for a flat query."""
    one = images[query].astype(np.float64)
    spread, size = float(one.std()), _block_size(images)
    differences = np.full(len(others), np.inf)
    for start in range(0, len(others) if spread else 0, size):
        block = images[others[start : start + size]] - one
        squares = np.square(block).reshape(len(block), -1).mean(axis=1)
        differences[start : start + size] = np.sqrt(squares) / spread
    return differences


def _block_size(images: NDArray[np.uint8]) -> int:
    """Return the number of images in a block."""
    pixels = int(np.prod(images.shape[1:]))
    return max(1, _BLOCK_BYTES // max(1, 8 * pixels))
