"""Decode image files to the shape of a dataset's images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.reading.decoding import decode_to_size, failure_reason

_COLOURED = 3  # dimensions of a colour image


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

    The image is decoded as photo datasets are (see `hashbench.datasets.reading.decoding`), so that
    a database image finds itself. For grey images, colour is converted as Pillow does.

    Args:
        path: The file's path, or the opened file.
        protocol: Gives the shape; if sizes vary, its input size in colour.
        name: The file's name in messages; its path if empty.
        formats: The pillow formats that are accepted; None accepts all that are safe to decode.

    Returns:
        uint8 (H, W) or (H, W, 3).

    Raises:
        DataError: If the file is missing, damaged or no image.
    """
    side = protocol.image_size
    shape = protocol.shape or (side, side, _COLOURED)
    try:
        pixels = decode_to_size(path, (shape[0], shape[1]), formats=formats)
    # A damaged file can make a decoder raise nearly any exception.
    except Exception as error:
        raise DataError(
            f"images: {name or path} cannot be decoded: {failure_reason(error)}"
        ) from None
    return pixels if len(shape) == _COLOURED else np.asarray(Image.fromarray(pixels).convert("L"))
