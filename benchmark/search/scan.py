"""Hamming distances from one code to many: XOR and popcount on packed words, in cached blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes

Distances = NDArray[np.uint8 | np.uint16]
"""Hamming distances in the narrowest type that holds them."""

_BLOCK = 1 << 14  # 128 kB of 64-bit words: XOR and popcount of a block stay in the cache
_UINT8_MAX = 255


class PackedScan:
    """A database laid out for scanning: one contiguous array a 64-bit word.

    Example:
        >>> import numpy as np
        >>> database = Codes.from_outputs(np.array([[1.0, 1.0], [-1.0, 1.0]]))
        >>> PackedScan(database).distances(database.words()[0])
        array([0, 1], dtype=uint8)

    Args:
        database: The codes to scan.
    """

    def __init__(self, database: Codes) -> None:
        self._words = np.ascontiguousarray(database.words().T)
        self.bits = database.bits
        self.dtype: type[np.uint8] | type[np.uint16] = (
            np.uint8 if database.bits <= _UINT8_MAX else np.uint16
        )

    def __len__(self) -> int:
        return int(self._words.shape[1])

    @property
    def bytes(self) -> int:
        """Bytes of the packed words."""
        return int(self._words.nbytes)

    def distances(self, query: NDArray[np.uint64]) -> Distances:
        """Distances of all database codes to one query.

        Args:
            query: uint64 (words,), a row of ``Codes.words()`` of the same code length.

        Returns:
            uint8 (N,) up to 255 bits, uint16 (N,) above.
        """
        found = np.empty(len(self), dtype=self.dtype)
        for start in range(0, len(self), _BLOCK):
            self._fill(found[start : start + _BLOCK], query, start)
        return found

    def _fill(self, out: Distances, query: NDArray[np.uint64], start: int) -> None:
        stop = start + len(out)
        differing = self._words[0, start:stop] ^ query[0]
        np.bitwise_count(differing, out=out)
        for column, word in zip(self._words[1:], query[1:], strict=True):
            np.bitwise_xor(column[start:stop], word, out=differing)
            out += np.bitwise_count(differing)
