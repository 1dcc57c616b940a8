"""Decode one image file of any format into a small RGB picture: the one decoder of the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = {_TURNS[number] for number in (5, 6, 7, 8)}
_MOST_OF_16_BITS = 65_535
# Its decoder starts another program, which an untrusted file must not.
_NOT_DECODED = frozenset({"EPS"})
_WIDE_MODES = ("I", "F")  # and I;16, I;16B, ...: modes of more than 8 bits


def decode_square(file: Path | BinaryIO, side: int) -> NDArray[np.uint8] | str:
    """Decode a file, keep the centre square, and resize it; see `decode_to_size`.

    Args:
        file: The file, or its path.
        side: Side of the result, in pixels.

    Returns:
        uint8 (side, side, 3) RGB, or the reason why the file cannot be read, in a few words.
    """
    try:
        return decode_to_size(file, (side, side))
    # A damaged file can make a decoder raise nearly any exception.
    except Exception as error:
        return failure_reason(error)


def decode_to_size(
    source: Path | BinaryIO, size: tuple[int, int], *, formats: tuple[str, ...] | None = None
) -> NDArray[np.uint8]:
    """Decode an image, keep the largest centred part of the wanted shape, and resize it.

    Resizing uses Pillow's antialiased bilinear filter. The EXIF orientation is applied; transparent
    pixels become white; of an animation the first frame is taken; grey of 16 bits is scaled to 8.

    Args:
        source: The file, or the opened file.
        size: Height and width of the result, in pixels.
        formats: Pillow's names of the formats to accept; None accepts all that are safe to decode.

    Returns:
        uint8 (height, width, 3) RGB.

    Raises:
        Exception: Of nearly any kind, if the file cannot be decoded; `failure_reason` says why.
    """
    with Image.open(source, formats=formats or _formats()) as image:
        return _resized_centre(image, size)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name not in _NOT_DECODED)


def _resized_centre(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    turn = _TURNS.get(_orientation(image))
    # The small picture is turned, not the large one, so before it is turned its sides are swapped.
    small_height, small_width = reversed(size) if turn in _QUARTER_TURNS else size
    width, height = image.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError  # Pillow only warns up to twice as many
    kept_width = min(width, height * small_width / small_height)
    kept_height = min(height, width * small_height / small_width)
    left, top = (width - kept_width) / 2, (height - kept_height) / 2
    box = (left, top, left + kept_width, top + kept_height)
    small = _rgb(image).resize((small_width, small_height), Image.Resampling.BILINEAR, box=box)
    return np.array(small.transpose(turn) if turn is not None else small, dtype=np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.split(";")[0] in _WIDE_MODES:
        return _of_16_bits(image)
    if "transparency" in image.info or image.getbands()[-1] in ("A", "a"):
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _of_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > _MOST_OF_16_BITS:
        raise ValueError(f"pixels of mode {image.mode} are not numbers of 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    # The metadata may be damaged even if the pixels are not.
    except Exception:
        return 1


def failure_reason(error: Exception) -> str:
    """Say in a few words why decoding raised an exception."""
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(words.split())[:200] or type(error).__name__
