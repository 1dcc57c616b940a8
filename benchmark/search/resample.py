"""A larger database of codes that lie as those of a smaller one do."""

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
    """How a bit of a resampled code is changed; see `resample`."""

    FLIP = "flip"
    CROSS = "cross"


@dataclass(frozen=True, slots=True, eq=False)
class ClassRates:
    """Which class each code is of, and how often a bit is set in each class.

    A class is a set of labels: of images with several labels, those with the very same ones.

    Attributes:
        classes: int64 (N,), the class of each code.
        set_shares: float32 (classes, bits), the share of a class whose bit is set.
        sizes: int64 (classes,), members of each.
        pooled: float32 (bits,), how often two members of one class differ, over all classes of at
            least 10 members: what flips the bits of smaller classes.
    """

    classes: NDArray[np.int64]
    set_shares: NDArray[np.float32]
    sizes: NDArray[np.int64]
    pooled: NDArray[np.float32]

    @classmethod
    def of(cls, codes: Codes, labels: NDArray[np.uint8]) -> ClassRates:
        """Count.

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
        """How likely each bit of some codes is flipped: the share of its class that differs in it.

        Args:
            bits: uint8 (n, bits), 0 and 1.
            rows: int64 (n,), which codes they are.

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

    ``flip`` flips each bit with its class's disagreement rate for it, the share of the code's class
    that has the other value of the bit. So the share of set bits stays what it is in every class,
    while bits of one class become independent of each other. ``cross`` gives each bit, one time in
    two, the value that another code of the class has, the same one for all bits: the shares stay,
    and half of every correlation between bits. Of a class of fewer than 10 members it flips.

    With ``redraw`` below 1 only so many bits, chosen at random, may change: the shares stay as
    well, codes keep more of what their bits have in common, and copies become more frequent.

    Args:
        codes: The codes to draw from (N).
        labels: uint8 (N, classes), multi-hot: codes of equal labels are a class.
        count: How many to make.
        seed: Of the draws.
        redraw: Probability that a bit may change.
        way: How bits are changed.

    Returns:
        The codes made, all of the same length as those given.

    Raises:
        DataError: If there is no code to draw from, or not one row of labels a code.
    """
    if len(codes) == 0:
        raise DataError("search: the database is empty; there is nothing to resample")
    _check_rows(labels, items=len(codes))
    rates, draw = ClassRates.of(codes, labels), np.random.default_rng(seed)
    mates = _Mates(rates) if way is Resampling.CROSS else None
    made = np.empty((count, codes.packed.shape[1]), dtype=np.uint8)
    block = max(1, _BITS_AT_ONCE // codes.bits)
    for start in range(0, count, block):
        rows = draw.integers(0, len(codes), min(block, count - start))
        bits = _unpacked(codes, rows)
        flipped = draw.random(bits.shape, dtype=np.float32) < redraw * rates.flip_rates(bits, rows)
        if mates is not None:
            taken = draw.random(bits.shape, dtype=np.float32) < redraw / 2
            others = _unpacked(codes, mates.of(rows, draw))
            large = (rates.sizes[rates.classes[rows]] >= FEWEST)[:, None]
            flipped = np.where(large, taken & (bits != others), flipped)
        made[start : start + len(rows)] = np.packbits(bits ^ flipped, axis=1)
    return Codes(made, codes.bits)


class _Mates:
    """Draws a member of a code's class, perhaps the code itself."""

    def __init__(self, rates: ClassRates) -> None:
        self._classes, self._sizes = rates.classes, rates.sizes
        self._sorted = np.argsort(rates.classes, kind="stable")
        self._starts = np.cumsum(rates.sizes) - rates.sizes

    def of(self, rows: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.int64]:
        """One member each of the classes of some codes, as rows."""
        of = self._classes[rows]
        members: NDArray[np.int64] = self._starts[of] + draw.integers(0, self._sizes[of])
        return np.asarray(self._sorted[members])


def _check_rows(labels: NDArray[np.uint8], *, items: int) -> None:
    """Raise DataError unless there is one row of labels a code."""
    if labels.ndim != _TABLE or len(labels) != items:
        raise DataError(f"labels: expected a row for each of {items} codes, got {labels.shape}")


def _unpacked(codes: Codes, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.unpackbits(codes.packed[rows], axis=1, count=codes.bits)
