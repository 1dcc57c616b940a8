"""Mixtures of one to three handwritten digits: a multi-label toy for fast checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.protocols.shuffle import seeded_order
from hashbench.datasets.sources.digits import CLASSES, LEVELS, read_digits
from hashbench.datasets.sources.label_mixtures import LabelMixture

MIXTURE: Final = LabelMixture(
    images=6000,
    queries=500,
    most=3,
    companions=tuple((number + 1) % 10 for number in range(10)),
    share=0.7,
    seed=0,
    member="digit",
)
QUERY_SHARE: Final = 0.2  # of the digit images of a class, of which the queries are made
_SIDE: Final = 8
_WHITE: Final = 255


class DigitMixtures(Dataset):
    """6,000 grey images of 16 x 16, each made of one to three digits, whose classes are its labels.

    An image shows two blocks of 8 x 8 pixels, the average v in [0, 1] of its digit images and the
    square of it: top left 255 v, top right 255 v^2, both rounded half up, and the lower half black.
    A linear layer cannot compute the square from the average; the black half only makes the image
    square.

    An image has one, two or three digits with equal probability. The first is any of the ten; each
    further one is, with probability 0.7, the successor of the one before it (0 after 9), otherwise,
    or if the image has that digit already, any that it does not have. So successive digits occur
    together more often than others.

    The digit images are those of ``digits``; a fifth of each class is only in images 0 to 499,
    which are the protocol's queries, and the others only in the rest, so that no query shares a
    digit image with the database or the training set. The dataset was made for this project: a toy
    whose ranking of methods says nothing about real images.
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
        digits, classes = read_digits()
        names = tuple(str(number) for number in range(CLASSES))
        slots = MIXTURE.classes()
        images = _pictures(digits, MIXTURE.members(slots, _pools(classes)))
        return ImageData(images, MIXTURE.labels(slots), names)

    def is_here(self, root: Path | None) -> bool:
        """Return True: it needs no file of the user's."""
        del root
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "6,000 grey images of 16 x 16: the average of 1 to 3 digits, its square, "
            "and black",
            "source": "made from sklearn.datasets.load_digits",
            "licence": "CC BY 4.0 (UCI Machine Learning Repository)",
        }


def _pools(classes: NDArray[np.int64]) -> Callable[[int], tuple[NDArray[np.int64], ...]]:
    """Return a function that gives a class's digit images: for queries, and for all others."""
    order = seeded_order(len(classes), MIXTURE.seed, purpose="digit mixtures")

    def pools(number: int) -> tuple[NDArray[np.int64], ...]:
        pool = order[classes[order] == number]
        reserved = int(QUERY_SHARE * len(pool))
        return pool[:reserved], pool[reserved:]

    return pools


def _pictures(digits: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.uint8]:
    black = np.zeros((1, _SIDE, _SIDE), dtype=np.int64)
    # Position -1 is the black image appended after the last.
    total = np.concatenate([digits, black])[members].sum(axis=1)
    full = LEVELS * (members >= 0).sum(axis=1)[:, None, None]
    pictures = np.zeros((len(members), 2 * _SIDE, 2 * _SIDE), dtype=np.uint8)
    pictures[:, :_SIDE, :_SIDE] = _to_byte(total, full)
    pictures[:, :_SIDE, _SIDE:] = _to_byte(total**2, full**2)
    return pictures


def _to_byte(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Compute 255 part / whole, rounded half up, in integers only."""
    return ((2 * _WHITE * part + whole) // (2 * whole)).astype(np.uint8)
