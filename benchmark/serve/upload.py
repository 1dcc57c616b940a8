"""An image that somebody sent: what it may be, looked at before anything is decoded."""

from __future__ import annotations

import io
from http import HTTPStatus

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.serve.pictures import SIDE, png
from hashbench.serve.refusal import Refusal
from hashbench.worker.image_files import decode_image

MOST_BYTES = 20 * 2**20
MOST_PIXELS = 40_000_000  # decoding and resizing holds about 24 bytes for each
# Decoders in pillow itself; not those that start another program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_NAME = "the uploaded image"


def check_upload(data: bytes) -> None:
    """Look at the header of an image that was sent.

    Raises:
        Refusal: 400 if there is nothing, 415 if it is no image of a known format, 413 if it has too
            many pixels.
    """
    if not data:
        raise Refusal(HTTPStatus.BAD_REQUEST, "upload: the request's body is empty; send an image")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        width = height = MOST_PIXELS
    except Exception:  # a damaged header can make a decoder raise nearly anything
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"upload: no image that can be read; send one of {', '.join(FORMATS)}",
        ) from None
    if width * height > MOST_PIXELS:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"upload: the image has more than {MOST_PIXELS // 10**6} million pixels; make it "
            f"smaller",
        )


def decode_upload(data: bytes, protocol: ProtocolSpec) -> NDArray[np.uint8]:
    """Decode an image that passed `check_upload`; see `decode_image`.

    Args:
        data: The file.
        protocol: Whose shape it gets.

    Raises:
        DataError: If it is damaged, or has more than 8 bits a channel.
    """
    try:
        return decode_image(io.BytesIO(data), protocol, name=_NAME, formats=FORMATS)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # as above
        raise DataError(f"images: {_NAME} cannot be decoded: {type(error).__name__}") from None


def small_png(data: bytes) -> bytes:
    """A thumbnail of an image that passed `check_upload`, turned as its camera says.

    Args:
        data: The file.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return png(ImageOps.exif_transpose(image).convert("RGB"), SIDE)
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise DataError(f"images: {_NAME} cannot be decoded: {type(error).__name__}") from None
