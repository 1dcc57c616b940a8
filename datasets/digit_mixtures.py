"""Mixtures of one to three handwritten digits: a multi-label toy for fast checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.digits import LEVELS
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.shuffle import shuffled, uniform

IMAGES: Final = 6000
QUERIES: Final = 500  # the first of the images
MOST_DIGITS: Final = 3
SUCCESSION: Final = 0.7  # how often a further digit is the successor of the one before
QUERY_SHARE: Final = 0.2  # of the digit images of a class, of which the queries are made
_SIDE: Final = 8
_WHITE: Final = 255
_SEED: Final = 0


class DigitMixtures(Dataset):
    """6,000 grey images of 16 x 16, each made of one to three digits, whose classes are its labels.

    Each image stands for two blocks of 8 x 8 numbers, the average v in [0, 1] of its digit images
    and the square of it: top left 255 v, top right 255 v^2, both rounded half up, and the lower
    half black. The square is what a linear layer cannot make of the average by itself; the black
    half only makes the image square.

    An image has one, two or three digits with equal probability. The first is any of the ten; each
    further one is, with probability 0.7, the successor of the one before it (0 after 9), otherwise,
    or if that is there already, any that is not. So labels that follow each other occur together
    more often than others.

    The digit images are those of ``digits``; a fifth of each class is only in images 0 to 499,
    which are the protocol's queries, and the others only in the rest, so that no query shares a
    digit image with the database or the training set. It is ours, a toy that ranks nothing on real
    images.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="Mixtures of handwritten digits (from scikit-learn's)",
        paper="ours, from Alpaydin and Kaynak, UCI Machine Learning Repository 1998",
        citation="alpaydin1998optical",
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "digit-mixtures@1"

    def load(self, root: Path | None) -> ImageData:
        """Make all images.

        Args:
            root: Not needed; the digits are in scikit-learn.

        Returns:
            uint8 (6000, 16, 16) and labels uint8 (6000, 10) with one to three 1s a row.
        """
        from sklearn.datasets import load_digits

        bunch = load_digits()
        digits = bunch.images.astype(np.int64)
        classes = bunch.target.astype(np.int64)
        names = tuple(str(name) for name in bunch.target_names)
        slots = mixed_classes(classes=len(names))
        images = _pictures(digits, _members(slots, classes))
        return ImageData(images, _labels(slots, len(names)), names)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "6,000 grey images of 16 x 16: the average of 1 to 3 digits, its square, "
            "and black",
            "source": "made from sklearn.datasets.load_digits",
            "licence": "CC BY 4.0 (UCI Machine Learning Repository)",
        }


def mixed_classes(*, classes: int) -> NDArray[np.int64]:
    """Draw which classes each image is made of.

    Args:
        classes: Number of classes.

    Returns:
        int64 (6000, 3): the classes in the order drawn, all different; -1 where there is no more.
    """
    positions = np.arange(IMAGES, dtype=np.int64)
    slots = np.full((IMAGES, MOST_DIGITS), -1, dtype=np.int64)
    counts = 1 + _integers("number of digits", MOST_DIGITS)
    slots[:, 0] = _integers("first class", classes)
    for slot in range(1, MOST_DIGITS):
        follows = uniform(positions, _SEED, purpose=f"succession {slot}") < SUCCESSION
        successor = (slots[:, slot - 1] + 1) % classes
        absent = _labels(slots, classes) == 0
        other = _nth_absent(absent, _integers(f"class {slot}", classes - slot))
        taken = np.where(follows & absent[positions, successor], successor, other)
        slots[:, slot] = np.where(counts > slot, taken, -1)
        # An image that is complete keeps -1; what is drawn on top of it is not used.
    return slots


def _integers(purpose: str, end: int) -> NDArray[np.int64]:
    """A whole number in [0, end) for each image."""
    positions = np.arange(IMAGES, dtype=np.int64)
    return (uniform(positions, _SEED, purpose=purpose) * end).astype(np.int64)


def _nth_absent(absent: NDArray[np.bool_], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class with ``rank`` absent ones before it, row by row."""
    wanted = absent & (np.cumsum(absent, axis=1) - 1 == rank[:, None])
    columns: NDArray[np.int64] = wanted.argmax(axis=1).astype(np.int64)
    return columns


def _labels(slots: NDArray[np.int64], classes: int) -> NDArray[np.uint8]:
    rows = np.zeros((len(slots), classes), dtype=np.uint8)
    image, slot = np.nonzero(slots >= 0)
    rows[image, slots[image, slot]] = 1
    return rows


def _members(slots: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The digit image for each slot, int64 (6000, 3); -1 where there is none."""
    order = shuffled(np.arange(len(classes), dtype=np.int64), _SEED, purpose="digit mixtures")
    members = np.full_like(slots, -1)
    for number in range(int(classes.max()) + 1):
        pool = order[classes[order] == number]
        reserved = int(QUERY_SHARE * len(pool))
        for part, mine in (
            (slice(QUERIES), pool[:reserved]),
            (slice(QUERIES, None), pool[reserved:]),
        ):
            for slot in range(MOST_DIGITS):
                chosen = mine[_integers(f"digit {slot}", len(mine))[part]]
                wanted = slots[part, slot] == number
                members[part, slot] = np.where(wanted, chosen, members[part, slot])
    return members


def _pictures(digits: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.uint8]:
    black = np.zeros((1, _SIDE, _SIDE), dtype=np.int64)
    # Position -1 is the black image put behind the last.
    total = np.concatenate([digits, black])[members].sum(axis=1)
    full = LEVELS * (members >= 0).sum(axis=1)[:, None, None]
    pictures = np.zeros((len(members), 2 * _SIDE, 2 * _SIDE), dtype=np.uint8)
    pictures[:, :_SIDE, :_SIDE] = _to_byte(total, full)
    pictures[:, :_SIDE, _SIDE:] = _to_byte(total**2, full**2)
    return pictures


def _to_byte(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.uint8]:
    """255 part / whole, rounded half up, in whole numbers only."""
    return ((2 * _WHITE * part + whole) // (2 * whole)).astype(np.uint8)
