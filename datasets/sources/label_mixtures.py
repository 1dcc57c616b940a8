"""Draw the classes of multi-label images, and the single-label images that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.datasets.protocols.shuffle import uniform

NONE = -1
"""Stands for a class or an image after the last one."""


@dataclass(frozen=True, slots=True)
class LabelMixture:
    """A rule by which labels occur together, drawn from a seed without any library's generator.

    An image has 1 to ``most`` classes, all different, each number equally often. The first is any
    of them; each further one is, with probability ``share``, the companion of the one before it;
    otherwise, or if the image has that class already, any that it does not have.

    Attributes:
        images: Number of images to make.
        queries: Number of queries, the first images, whose members no other image has.
        most: Largest number of classes of an image.
        companions: For each class, the one that mostly follows it.
        share: Probability that it does.
        seed: Seed of all draws.
        member: The name of what an image is made of; part of the draws' purposes.
    """

    images: int
    queries: int
    most: int
    companions: tuple[int, ...]
    share: float
    seed: int
    member: str

    def classes(self) -> NDArray[np.int64]:
        """Draw the classes of each image.

        Returns:
            int64 (images, most): the classes in the order drawn; -1 after the last.
        """
        positions = np.arange(self.images, dtype=np.int64)
        slots = np.full((self.images, self.most), NONE, dtype=np.int64)
        counts = 1 + self.integers(f"number of {self.member}s", self.most)
        slots[:, 0] = self.integers("first class", len(self.companions))
        for slot in range(1, self.most):
            follows = uniform(positions, self.seed, purpose=f"succession {slot}") < self.share
            companion = np.array(self.companions)[slots[:, slot - 1]]
            absent = self.labels(slots) == 0
            rest = len(self.companions) - slot
            other = _nth_absent(absent, self.integers(f"class {slot}", rest))
            taken = np.where(follows & absent[positions, companion], companion, other)
            slots[:, slot] = np.where(counts > slot, taken, NONE)
            # An image that is complete keeps -1; what is drawn on top of it is not used.
        return slots

    def labels(self, slots: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the label rows, uint8 (images, classes), of the classes that `classes` drew."""
        rows = np.zeros((len(slots), len(self.companions)), dtype=np.uint8)
        image, slot = np.nonzero(slots >= 0)
        rows[image, slots[image, slot]] = 1
        return rows

    def members(
        self,
        slots: NDArray[np.int64],
        pools: Callable[[int], Sequence[NDArray[np.int64]]],
    ) -> NDArray[np.int64]:
        """Draw a single-label image for each class of each image.

        Args:
            slots: int64 (images, most), as `classes` gives them.
            pools: The positions of a class's images: those for queries, and those for all others.

        Returns:
            int64 (images, most): positions; -1 after the last class.
        """
        members = np.full_like(slots, NONE)
        parts = (slice(self.queries), slice(self.queries, None))
        for number in range(len(self.companions)):
            for part, pool in zip(parts, pools(number), strict=True):
                for slot in range(self.most):
                    drawn = self.integers(f"{self.member} {slot}", len(pool))[part]
                    wanted = slots[part, slot] == number
                    members[part, slot] = np.where(wanted, pool[drawn], members[part, slot])
        return members

    def integers(self, purpose: str, end: int) -> NDArray[np.int64]:
        """Draw a whole number in [0, end) for each image, int64 (images,)."""
        positions = np.arange(self.images, dtype=np.int64)
        return (uniform(positions, self.seed, purpose=purpose) * end).astype(np.int64)


def _nth_absent(absent: NDArray[np.bool_], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find, row by row, the class with ``rank`` absent ones before it."""
    wanted = absent & (np.cumsum(absent, axis=1) - 1 == rank[:, None])
    columns: NDArray[np.int64] = wanted.argmax(axis=1).astype(np.int64)
    return columns
