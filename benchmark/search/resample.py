"""Resampling: a larger database of codes, distributed as those of a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError

FEWEST = 10  # members of a class whose rates say something
_BITS_AT_ONCE = 1 << 22
_TABLE = 2  # dimensions


class Resampling(StrEnum):
    """The way a bit of a resampled code is changed; see `resample`."""

    FLIP = "flip"
    CROSS = "cross"


@dataclass(frozen=True, slots=True, eq=False)
class ClassRates:
    """The class of each code, and how often each bit is set in each class.

    Codes with exactly the same labels form a class.

    Attributes:
        classes: int64 (N,), the class of each code.
        set_shares: float32 (classes, bits), the share of a class whose bit is set.
        sizes: int64 (classes,), members of each.
        pooled: float32 (bits,), how often two members of one class differ in a bit, over all
            classes of at least 10 members; used as the flip rate of smaller classes.
    """

    classes: NDArray[np.int64]
    set_shares: NDArray[np.float32]
    sizes: NDArray[np.int64]
    pooled: NDArray[np.float32]

    @classmethod
    def of(cls, codes: Codes, labels: NDArray[np.uint8]) -> ClassRates:
        """Compute the bit frequencies of each class.

        Args:
            codes: The codes (N).
            labels: uint8 (N, classes), multi-hot.
        """
        _, found = np.unique(labels, axis=0, return_inverse=True)
        classes = found.reshape(-1).astype(np.int64)
        sizes = np.bincount(classes)
        bits = np.unpackbits(codes.packed, axis=1, count=codes.bits)
        shares = np.stack([bits[classes == each].mean(axis=0) for each in range(len(sizes))])
        large = sizes >= FEWEST
        if large.any():
            between = 2 * shares[large] * (1 - shares[large])
            pooled = np.average(between, axis=0, weights=sizes[large])
        else:
            share = bits.mean(axis=0)
            pooled = 2 * share * (1 - share)
        return cls(classes, shares.astype(np.float32), sizes, pooled.astype(np.float32))

    def flip_rates(self, bits: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute the probability to flip each bit of some codes.

        It is the share of the code's class that differs from the code in the bit.

        Args:
            bits: uint8 (n, bits), 0 and 1.
            rows: int64 (n,), the positions of these codes.

        Returns:
            float32 (n, bits).
        """
        of = self.classes[rows]
        shares = self.set_shares[of]
        rates: NDArray[np.float32] = np.where(bits == 1, 1 - shares, shares)
        return np.where((self.sizes[of] < FEWEST)[:, None], self.pooled, rates)


def resample(
    codes: Codes,
    labels: NDArray[np.uint8],
    count: int,
    *,
    seed: int = 0,
    redraw: float = 1.0,
    way: Resampling = Resampling.FLIP,
) -> Codes:
    """Draw codes with replacement and change bits of them so that classes keep their shares.

    ``flip`` flips each bit with probability equal to the share of the code's class that has the
    other value of the bit. So the share of set bits is kept in every class, while the bits of one
    class become independent of each other. ``cross`` gives each bit, with probability 1/2, the
    value of another code of the class, the same code for all bits: the shares are kept, and half of
    every correlation between bits. Codes of a class of fewer than 10 members are always flipped.

    With ``redraw`` below 1 a random selection of the bits may change: the shares are kept as well,
    codes keep more of the correlation between their bits, and copies become more frequent.

    Args:
        codes: The codes to draw from (N).
        labels: uint8 (N, classes), multi-hot; codes of equal labels are a class.
        count: Number of codes to draw.
        seed: Seed of the random numbers.
        redraw: Probability that a bit may change.
        way: The way bits are changed.

    Returns:
        ``count`` codes of the same length.

    Raises:
        DataError: If there is no code to draw from, or not one row of labels for each code.
    """
    if len(codes) == 0:
        raise DataError("search: the database is empty; there is nothing to resample")
    if labels.ndim != _TABLE or len(labels) != len(codes):
        raise DataError(
            f"labels: expected a row for each of {len(codes)} codes, got {labels.shape}"
        )
    rates, draw = ClassRates.of(codes, labels), np.random.default_rng(seed)
    members = _ClassMembers(rates) if way is Resampling.CROSS else None
    made = np.empty((count, codes.packed.shape[1]), dtype=np.uint8)
    block = max(1, _BITS_AT_ONCE // codes.bits)
    for start in range(0, count, block):
        rows = draw.integers(0, len(codes), min(block, count - start))
        bits = _unpacked(codes, rows)
        flipped = draw.random(bits.shape, dtype=np.float32) < redraw * rates.flip_rates(bits, rows)
        if members is not None:
            taken = draw.random(bits.shape, dtype=np.float32) < redraw / 2
            others = _unpacked(codes, members.drawn_for(rows, draw))
            large = (rates.sizes[rates.classes[rows]] >= FEWEST)[:, None]
            flipped = np.where(large, taken & (bits != others), flipped)
        made[start : start + len(rows)] = np.packbits(bits ^ flipped, axis=1)
    return Codes(made, codes.bits)


class _ClassMembers:
    """Draws members of classes at random."""

    def __init__(self, rates: ClassRates) -> None:
        self._classes, self._sizes = rates.classes, rates.sizes
        self._sorted = np.argsort(rates.classes, kind="stable")
        self._starts = np.cumsum(rates.sizes) - rates.sizes

    def drawn_for(self, rows: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.int64]:
        """Draw for each code a member of its class, perhaps the code itself."""
        of = self._classes[rows]
        members: NDArray[np.int64] = self._starts[of] + draw.integers(0, self._sizes[of])
        return np.asarray(self._sorted[members])


def _unpacked(codes: Codes, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.unpackbits(codes.packed[rows], axis=1, count=codes.bits)
