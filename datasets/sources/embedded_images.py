"""Image sets inside the package: one lossless WebP picture, and a table of labels and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

EMBEDDED = Path(__file__).parents[1] / "embedded"
_HEADER = "source,label"
COLUMNS = 50


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedImages:
    """Images drawn from a larger dataset, in the order of that dataset.

    Attributes:
        images: uint8 (N, H, W), grey.
        numbers: int64 (N,), class numbers.
        sources: int64 (N,), rising positions in the larger dataset.
    """

    images: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    sources: NDArray[np.int64]


def write_embedded(folder: Path, name: str, content: EmbeddedImages) -> None:
    """Write ``NAME.webp`` and ``NAME.csv``, both sorted by class, which compresses better."""
    order = np.argsort(content.numbers, kind="stable")
    write_mosaic(folder / f"{name}.webp", content.images[order])
    rows = zip(content.sources[order], content.numbers[order], strict=True)
    lines = [_HEADER, *(f"{source},{number}" for source, number in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_embedded(folder: Path, name: str, *, size: tuple[int, int]) -> EmbeddedImages:
    """Read a set of images of one height and width, in the order of their sources.

    Raises:
        DataError: If a file is missing or damaged.
    """
    path = folder / f"{name}.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; reinstall hashbench") from None
    table = np.array(list(_rows(path, lines)), dtype=np.int64).reshape(-1, 2)
    images = read_mosaic(folder / f"{name}.webp", len(table), size=size)
    order = np.argsort(table[:, 0])
    return EmbeddedImages(images[order], table[order, 1], table[order, 0])


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[int, int]]:
    if not lines or lines[0] != _HEADER:
        found = lines[0] if lines else ""
        raise DataError(f"{path}:1: expected '{_HEADER}', found '{found}'; reinstall hashbench")
    for number, line in enumerate(lines[1:], start=2):
        source, comma, label = line.partition(",")
        if not (comma and source.isdecimal() and label.isdecimal()):
            raise DataError(
                f"{path}:{number}: expected 'SOURCE,LABEL', found '{line}'; reinstall hashbench"
            )
        yield int(source), int(label)


def write_mosaic(path: Path, images: NDArray[np.uint8]) -> None:
    """Write grey images, uint8 (N, H, W), as one WebP picture, row by row, `COLUMNS` to a row."""
    from PIL import Image

    count, height, width = images.shape
    rows = -(-count // COLUMNS)
    padded = np.zeros((rows * COLUMNS, height, width), dtype=np.uint8)
    padded[:count] = images
    grid = padded.reshape(rows, COLUMNS, height, width).transpose(0, 2, 1, 3)
    picture = Image.fromarray(grid.reshape(rows * height, COLUMNS * width))
    picture.save(path, "WEBP", lossless=True, quality=90, method=4)


def read_mosaic(path: Path, count: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read ``count`` images of a height and width from a picture that `write_mosaic` wrote.

    Returns:
        uint8 (count, H, W), contiguous.

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
            # WebP has no grey mode: the three channels are equal, so one of them is the image.
            return np.asarray(picture.getchannel(0))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: expected a WebP picture, found: {error}; reinstall hashbench"
        ) from None
