"""Text files of annotations, read whole, with one line for whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path

from hashbench.core.errors import DataError
from hashbench.datasets.sources.annotated_photos import REMEDY


def read_annotation(path: Path, *, most_bytes: int) -> bytes:
    """Read a file.

    Args:
        path: The file.
        most_bytes: More than any published one has.

    Raises:
        DataError: If it is missing, cannot be read, or is larger than any published one.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= most_bytes else b""
    except OSError as error:
        raise DataError(
            f"{path}: expected this annotation file, cannot be read: {error.strerror}; {REMEDY}"
        ) from None
    if size > most_bytes:
        raise DataError(f"{path}: expected at most {most_bytes} bytes, found {size}; {REMEDY}")
    return content


def read_lines(path: Path, *, most_bytes: int) -> list[str]:
    """Read the lines of a text file, without blanks around them and without empty ones.

    Raises:
        DataError: If it cannot be read, or is no UTF-8 text.
    """
    content = read_annotation(path, most_bytes=most_bytes)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected text, found other bytes; {REMEDY}") from None
    return [line for line in map(str.strip, lines) if line]
