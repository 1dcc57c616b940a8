"""Exact scanning of packed codes: Hamming distances by XOR and popcount, and the k nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes

Distances = NDArray[np.uint8 | np.uint16]
"""Hamming distances in the narrowest type that holds them."""

HISTOGRAM_QUERIES = 200
"""Queries that a histogram of distances covers, unless told otherwise."""

_BLOCK = 1 << 14  # 128 kB of 64-bit words: XOR and popcount of a block stay in the cache
_UINT8_MAX = 255


class PackedScan:
    """A database laid out for scanning: one contiguous array for each 64-bit word of a code.

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
        """Compute the distances of all database codes to one query.

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


def nearest(distances: Distances, k: int) -> NDArray[np.int64]:
    """Find the positions of the k smallest distances, ties by position, without sorting all.

    A threshold is found by bisection with counts of ``distances <= t``, each a pass at memory
    speed; only what is within it is sorted (stably: numpy sorts narrow integers by radix).

    Args:
        distances: uint8 or uint16 (N,).
        k: Number of positions, at least 1.

    Returns:
        int64 (min(k, N),), nearest first.
    """
    if k >= len(distances):
        return np.argsort(distances, kind="stable")
    candidates = np.flatnonzero(distances <= _threshold(distances, k))
    order = np.argsort(distances[candidates], kind="stable")[:k]
    return candidates[order]


def _threshold(distances: Distances, k: int) -> int:
    """Find the smallest t with at least k distances of at most t."""
    low, high = int(distances.min()), int(distances.max())
    while low < high:
        middle = (low + high) // 2
        if np.count_nonzero(distances <= middle) >= k:
            high = middle
        else:
            low = middle + 1
    return low


def distance_histogram(
    query: Codes, database: Codes, *, at_most: int = HISTOGRAM_QUERIES
) -> NDArray[np.int64]:
    """Count the pairs of a query and a database code at each Hamming distance.

    Resampled databases are compared with their originals by these histograms.

    Args:
        query: Codes of the queries.
        database: Codes of the database, of the same length.
        at_most: Number of queries counted, the first ones.

    Returns:
        int64 (bits + 1,).
    """
    scan, counts = PackedScan(database), np.zeros(database.bits + 1, dtype=np.int64)
    for words in query.words()[:at_most]:
        counts += np.bincount(scan.distances(words), minlength=len(counts))
    return counts
