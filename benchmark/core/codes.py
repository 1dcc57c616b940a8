"""Packed binary codes and float embeddings of images."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

MAX_BITS = 1024
_BITS_PER_BYTE = 8
_BYTES_PER_WORD = 8


class Role(StrEnum):
    """The side of a retrieval that an image belongs to: query or database."""

    QUERY = "query"
    DATABASE = "database"


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Binary codes of N images, one row each, eight bits a byte.

    Bit k of a row is the k-th bit of the code, most significant bit of a byte first; a set bit
    stands for +1. The padding bits of the last byte are zero, so they do not add to a distance.

    Attributes:
        packed: uint8 (N, ceil(bits / 8)).
        bits: Code length, 1 to 1024.
    """

    packed: NDArray[np.uint8]
    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MAX_BITS:
            raise DataError(f"codes: bits must be between 1 and {MAX_BITS}, got {self.bits}")
        width = -(-self.bits // _BITS_PER_BYTE)
        if self.packed.dtype != np.uint8 or self.packed.ndim != 2:  # noqa: PLR2004 - (N, bytes)
            raise DataError(
                f"codes: packed codes are uint8 (N, bytes), "
                f"got {self.packed.dtype} {self.packed.shape}"
            )
        if self.packed.shape[1] != width:
            raise DataError(
                f"codes: {self.bits} bits take {width} bytes a row, got {self.packed.shape[1]}"
            )
        padding = width * _BITS_PER_BYTE - self.bits
        if padding and bool(np.any(self.packed[:, -1] & ((1 << padding) - 1))):
            raise DataError(f"codes: the {padding} padding bits of a row must be zero")

    @classmethod
    def from_outputs(cls, outputs: NDArray[Any]) -> Codes:
        """Binarise real outputs, with sgn(0) = +1.

        Args:
            outputs: Float or integer (N, bits), finite.

        Returns:
            The packed codes.

        Raises:
            DataError: If an output is NaN or infinite, or the array is not (N, bits).
        """
        if outputs.ndim != 2:  # noqa: PLR2004 - (N, bits)
            raise DataError(f"codes: outputs must be (N, bits), got {outputs.shape}")
        if not bool(np.all(np.isfinite(outputs))):
            raise DataError("codes: an output is NaN or infinite, so it has no sign")
        return cls(np.packbits(outputs >= 0, axis=1), outputs.shape[1])

    def __len__(self) -> int:
        return len(self.packed)

    def signs(self) -> NDArray[np.int8]:
        """The codes as int8 (N, bits) of -1 and +1."""
        bits = np.unpackbits(self.packed, axis=1, count=self.bits)
        return (bits.astype(np.int8) * 2 - 1).astype(np.int8)

    def words(self) -> NDArray[np.uint64]:
        """The codes as uint64 (N, ceil(bits / 64)), zero-padded, for XOR and popcount."""
        width = -(-self.packed.shape[1] // _BYTES_PER_WORD) * _BYTES_PER_WORD
        padded = np.zeros((len(self), width), dtype=np.uint8)
        padded[:, : self.packed.shape[1]] = self.packed
        return padded.view(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Float embeddings of N images, compared by cosine similarity.

    Attributes:
        values: float32 (N, D), finite.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 2:  # noqa: PLR2004 - (N, D)
            raise DataError(
                f"embeddings: must be float32 (N, D), got {self.values.dtype} {self.values.shape}"
            )
        if not bool(np.all(np.isfinite(self.values))):
            raise DataError("embeddings: a value is NaN or infinite")

    def __len__(self) -> int:
        return len(self.values)
