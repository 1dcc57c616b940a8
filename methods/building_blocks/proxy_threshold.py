"""HyP2's threshold: the cosine of two codes as far apart as those of a linear code can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hashbench.core.errors import ConfigError

# Least distances of the codes in the authors' table, by code length, for the dimensions 4 to 7:
# 9 to 16, 17 to 32, 33 to 64 and 65 to 128 classes.
_DISTANCES: Final[Mapping[int, tuple[int, int, int, int]]] = {
    12: (6, 4, 4, 4),
    16: (8, 8, 6, 6),
    24: (12, 12, 10, 10),
    32: (16, 16, 16, 14),
    36: (18, 17, 16, 16),
    48: (24, 24, 24, 22),
    64: (33, 32, 32, 32),
    96: (50, 48, 48, 48),
    128: (68, 64, 64, 64),
}
_FIRST_DIMENSION: Final = 4


class ThresholdSource(StrEnum):
    """Where a threshold is from."""

    TABLE = "authors' table"
    BOUND = "bound, not the authors' table"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class ProxyThreshold:
    """The cosine down to which HyP2 pushes.

    Attributes:
        value: zeta, in [-1, 1].
        source: Where it is from.
    """

    value: float
    source: ThresholdSource

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.source})"


def proxy_threshold(*, bits: int, classes: int) -> ProxyThreshold:
    """Zeta = 1 - 2d/K, d the least distance of a binary linear code with a word for each class.

    The code has length K and dimension max(1, ceil(log2 C)). Its d is the authors' where their
    table has it (9 to 128 classes at 12, 16, 24, 32, 36, 48, 64, 96 or 128 bits), otherwise the
    Griesmer bound, which a code does not always reach: zeta may then be slightly too small.

    Args:
        bits: K.
        classes: C, 1 or more.

    Returns:
        zeta and where it is from.

    Raises:
        ConfigError: If the code length is too short to give each class a word.

    Example:
        >>> str(proxy_threshold(bits=64, classes=10))
        "-0.0312 (authors' table)"
        >>> str(proxy_threshold(bits=64, classes=200))
        "0.0312 (bound, not the authors' table)"
    """
    # The exact integer form of ceil(log2 C), which in floating point may be one too many.
    dimension = max(1, (classes - 1).bit_length())
    if bits < dimension:
        raise ConfigError(
            f"hyp2: {bits} bits have no {classes} different codes; use {dimension} bits or more"
        )
    distance = _tabled_distance(bits, dimension)
    source = ThresholdSource.TABLE if distance else ThresholdSource.BOUND
    distance = distance or griesmer_distance(length=bits, dimension=dimension)
    return ProxyThreshold(1 - 2 * distance / bits, source)


def griesmer_length(*, distance: int, dimension: int) -> int:
    """The Griesmer bound: the least length of a binary linear code, sum_{i<k} ceil(d / 2^i).

    Args:
        distance: d, the least distance of two words.
        dimension: k; the code has 2^k words.
    """
    return sum(-(-distance // 2**i) for i in range(dimension))


def griesmer_distance(*, length: int, dimension: int) -> int:
    """The largest least distance d that the Griesmer bound allows a binary linear code.

    Args:
        length: Bits of a word, at least ``dimension``.
        dimension: k; the code has 2^k words.

    Returns:
        d, 1 or more.
    """
    distance = 1
    while griesmer_length(distance=distance + 1, dimension=dimension) <= length:
        distance += 1
    return distance


def _tabled_distance(bits: int, dimension: int) -> int | None:
    row = _DISTANCES.get(bits, ())
    column = dimension - _FIRST_DIMENSION
    return row[column] if 0 <= column < len(row) else None
