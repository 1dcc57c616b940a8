"""A larger database of codes that lie as those of a smaller one do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes

FEWEST = 10  # members of a class whose rates say something
_BITS_AT_ONCE = 1 << 22


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
    codes: Codes, labels: NDArray[np.uint8], count: int, *, seed: int = 0, redraw: float = 1.0
) -> Codes:
    """Draw codes with replacement and flip each bit with its class's disagreement rate for it.

    That rate is the share of the code's class that has the other value of the bit. So the share of
    set bits stays what it is in every class, while bits of one class become independent of each
    other. With ``redraw`` below 1 only so many bits, chosen at random, may flip: the shares stay as
    well, codes keep more of what their bits have in common, and copies become more frequent.

    Args:
        codes: The codes to draw from (N).
        labels: uint8 (N, classes), multi-hot: codes of equal labels are a class.
        count: How many to make.
        seed: Of the draws.
        redraw: Probability that a bit may flip.

    Returns:
        The codes made, all of the same length as those given.
    """
    rates, draw = ClassRates.of(codes, labels), np.random.default_rng(seed)
    made = np.empty((count, codes.packed.shape[1]), dtype=np.uint8)
    block = max(1, _BITS_AT_ONCE // codes.bits)
    for start in range(0, count, block):
        rows = draw.integers(0, len(codes), min(block, count - start))
        bits = np.unpackbits(codes.packed[rows], axis=1, count=codes.bits)
        chance = draw.random(bits.shape, dtype=np.float32)
        bits ^= chance < redraw * rates.flip_rates(bits, rows)
        made[start : start + len(rows)] = np.packbits(bits, axis=1)
    return Codes(made, codes.bits)
