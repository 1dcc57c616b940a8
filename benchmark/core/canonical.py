"""Canonical JSON and the digests made from it: equal content, equal bytes, equal id."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

FIT_ID_LENGTH = 16
_BLOCK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Encode plain data as JSON bytes that depend on the content alone.

    Args:
        value: Dicts with string keys, lists, tuples, strings, numbers, booleans and None.

    Returns:
        UTF-8 JSON with sorted keys and no spaces.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON cannot express.
        TypeError: If something is not plain data.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def digest_bytes(data: bytes) -> str:
    """SHA-256 of ``data``, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_array(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of an array's elements in C order; shape and dtype are not included."""
    sha = hashlib.sha256()
    for row in array if array.ndim > 1 else array.reshape(1, -1):
        sha.update(np.ascontiguousarray(row).tobytes())
    return sha.hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits; it is read in blocks."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha.update(block)
    return sha.hexdigest()
