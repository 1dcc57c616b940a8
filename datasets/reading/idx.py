"""The IDX format, in which MNIST and its relatives are published, gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, shape: tuple[int | None, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    The format is two zero bytes, a type byte (8: unsigned byte), the number of dimensions, each
    dimension as a big-endian 32-bit number, then the elements in C order.

    Args:
        path: The file; gzip is recognised by the content, not by the name.
        shape: The expected dimensions; None accepts any size.

    Returns:
        uint8 array of the file's shape, not writable.

    Raises:
        DataError: If the file is missing, is not such a file, has another shape, or is shorter or
            longer than its header says.
    """
    content = _content(path)
    header = 4 + 4 * len(shape)
    magic = bytes((0, 0, _UNSIGNED_BYTE, len(shape)))
    if content[:4] != magic:
        raise DataError(
            f"{path}: expected an IDX file of unsigned bytes with {len(shape)} dimensions "
            f"(magic {magic.hex()}), found {content[:4].hex() or 'an empty file'}; {_REMEDY}"
        )
    if len(content) < header:
        raise DataError(
            f"{path}: expected a header of {header} bytes, found {len(content)} bytes; {_REMEDY}"
        )
    found = struct.unpack(f">{len(shape)}I", content[4:header])
    if any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        raise DataError(
            f"{path}: expected the shape {_words(shape)}, found {_words(found)}; {_REMEDY}"
        )
    elements = len(content) - header
    if elements != math.prod(found):
        raise DataError(
            f"{path}: expected {math.prod(found)} bytes after the header, found {elements}; "
            f"{_REMEDY}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(found)


_REMEDY = "fetch the original file again"


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from None
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, found: {error}; {_REMEDY}") from None


def _words(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if size is None else str(size) for size in shape)
