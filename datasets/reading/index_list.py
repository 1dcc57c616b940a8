"""Index lists as text files: one position a line, rising, with comments after ``#``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.canonical import digest_bytes
from hashbench.core.errors import DataError


def digest_positions(positions: NDArray[np.int64]) -> str:
    """Return the SHA-256 of positions as little-endian 64-bit integers, as 64 hex digits."""
    return digest_bytes(positions.astype("<i8").tobytes())


def write_index_list(path: Path, positions: NDArray[np.int64], *, comment: str) -> None:
    """Write int64 positions, which rise, after a comment of one line."""
    lines = [f"# {comment}", *(str(position) for position in positions)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_index_list(path: Path) -> NDArray[np.int64]:
    """Read positions: int64 (N,), rising.

    Raises:
        DataError: If the file is missing, or a line is no number or not above the one before.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: the index list cannot be read: {error}; reinstall hashbench"
        ) from None
    return np.fromiter(_positions(path, text), dtype=np.int64)


def _positions(path: Path, text: str) -> Iterator[int]:
    last = -1
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        if not (word.isascii() and word.isdigit()):
            raise DataError(f"{path}:{number}: expected a position, found '{word}'")
        if int(word) <= last:
            raise DataError(f"{path}:{number}: expected a position above {last}, found {word}")
        last = int(word)
        yield last
