"""Decode image files to the shape of a dataset's images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.nn import functional

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import ProtocolSpec

_COLOURED = 3  # dimensions of a colour image
_WIDER_THAN_A_BYTE = ("I", "F")  # first letters of pillow's modes with 16 or 32 bits


def find_images(places: Iterable[Path]) -> list[Path]:
    """List image files: the files given, and all below the folders given.

    Args:
        places: Files and folders. A folder stands for all files below it whose suffix pillow
            knows, sorted by path.

    Raises:
        DataError: If a file or folder is missing, or a folder holds no image.
    """
    endings = Image.registered_extensions()
    found: list[Path] = []
    for place in places:
        if place.is_file():
            found.append(place)
        elif place.is_dir():
            below = (path for path in place.rglob("*") if path.suffix.lower() in endings)
            images = sorted(path for path in below if path.is_file())
            if not images:
                raise DataError(f"images: no image file in the folder {place}")
            found += images
        else:
            raise DataError(f"images: no such file or folder: {place}")
    return found


def decode_image(
    path: Path | BinaryIO,
    protocol: ProtocolSpec,
    *,
    name: str = "",
    formats: tuple[str, ...] | None = None,
) -> NDArray[np.uint8]:
    """Decode an image file to the shape of a protocol's images.

    An image of another size is resized as the harness resizes (bicubic with antialiasing, without
    keeping the aspect ratio); one of that size is left as it is. Grey and colour are converted as
    pillow does, and the EXIF orientation is applied.

    Args:
        path: The file's path, or the opened file.
        protocol: Gives the shape; if sizes vary, its input size in colour.
        name: The file's name in messages; its path if empty.
        formats: The pillow formats that are accepted; None accepts all.

    Returns:
        uint8 (H, W) or (H, W, 3).

    Raises:
        DataError: If the file is missing, damaged, or not an image of 8 bits a channel.
    """
    shown, size = name or path, protocol.image_size
    shape = protocol.shape or (size, size, _COLOURED)
    try:
        with Image.open(path, formats=formats) as image:
            if image.mode.startswith(_WIDER_THAN_A_BYTE):
                raise DataError(
                    f"images: {shown} has more than 8 bits a channel (mode {image.mode}); convert "
                    f"it to 8 bits first"
                )
            upright = ImageOps.exif_transpose(image)
            pixels = np.array(upright.convert("RGB" if len(shape) == _COLOURED else "L"))
    except UnidentifiedImageError:
        raise DataError(f"images: {shown} is not an image that pillow can read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"images: {shown} cannot be decoded: {why}") from None
    return _resized(pixels, shape[:2])


def _resized(pixels: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    if pixels.shape[:2] == size:
        return pixels
    planes = torch.from_numpy(pixels).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)
    resized = functional.interpolate(
        planes[None].float() / 255, size=list(size), mode="bicubic", antialias=True
    ).clamp(0, 1)
    rounded = (resized[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(rounded if pixels.ndim == _COLOURED else rounded[..., 0])
