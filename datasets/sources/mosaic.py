"""Many small grey images in one lossless WebP picture, the smallest exact form of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

COLUMNS = 50


def write_mosaic(path: Path, images: NDArray[np.uint8]) -> None:
    """Write grey images as one picture, row by row, `COLUMNS` to a row.

    Similar neighbours compress better, so sort the images by class first.

    Args:
        path: The ``.webp`` file to write.
        images: uint8 (N, H, W).
    """
    from PIL import Image

    count, height, width = images.shape
    rows = -(-count // COLUMNS)
    padded = np.zeros((rows * COLUMNS, height, width), dtype=np.uint8)
    padded[:count] = images
    grid = padded.reshape(rows, COLUMNS, height, width).transpose(0, 2, 1, 3)
    picture = Image.fromarray(grid.reshape(rows * height, COLUMNS * width))
    picture.save(path, "WEBP", lossless=True, quality=90, method=4)


def read_mosaic(path: Path, count: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the images of a picture that `write_mosaic` wrote.

    Args:
        path: The ``.webp`` file.
        count: Number of images N.
        size: Height and width of an image.

    Returns:
        uint8 (N, H, W), contiguous.

    Raises:
        DataError: If the file is missing, cannot be decoded, or is not a picture of that size.
    """
    height, width = size
    rows = -(-count // COLUMNS)
    pixels = _decode(path)
    expected = (rows * height, COLUMNS * width)
    if pixels.shape != expected:
        raise DataError(
            f"{path}: expected a picture of {expected[1]} x {expected[0]} pixels "
            f"({count} images), found {pixels.shape[1]} x {pixels.shape[0]}; reinstall hashbench"
        )
    grid = pixels.reshape(rows, height, COLUMNS, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(grid.reshape(-1, height, width)[:count])


def _decode(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path, formats=["WEBP"]) as picture:
            # WebP knows no grey: the three channels are equal, so one of them is the image.
            return np.asarray(picture.getchannel(0))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: expected a WebP picture, found: {error}; reinstall hashbench"
        ) from None
