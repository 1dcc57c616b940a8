"""Scenes of one to four garments: a multi-label dataset that needs no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.protocols.shuffle import uniform
from hashbench.datasets.sources.embedded_images import EMBEDDED, EmbeddedImages, read_embedded
from hashbench.datasets.sources.fashion_mnist import CLASSES, SIDE, TRAIN_IMAGES
from hashbench.datasets.sources.label_mixtures import LabelMixture

WORN_WITH: Final = {
    "T-shirt/top": "Trouser",
    "Trouser": "Shirt",
    "Shirt": "Coat",
    "Coat": "Ankle boot",
    "Ankle boot": "Dress",
    "Dress": "Sandal",
    "Sandal": "Bag",
    "Bag": "Pullover",
    "Pullover": "Sneaker",
    "Sneaker": "T-shirt/top",
}
MIXTURE: Final = LabelMixture(
    images=6000,
    queries=500,
    most=4,
    companions=tuple(CLASSES.index(WORN_WITH[name]) for name in CLASSES),
    share=0.7,
    seed=0,
    member="garment",
)
CANVAS: Final = 64
_QUARTER: Final = CANVAS // 2


class FashionScenes(Dataset):
    """6,000 grey images of 64 x 64, each with one to four garments, whose classes are its labels.

    The garments are the embedded Fashion-MNIST images, unchanged, on black. Each is in a quarter
    of its own, the quarters in random order, shifted by 0 to 4 pixels down and 0 to 4 to the right,
    so no garment covers another.

    A scene has one to four garments with equal probability, all of different classes. The first is
    of any of the ten; each further one is, with probability 0.7, of the class that goes with the
    one before it (a cycle through all ten classes: T-shirt with trouser, trouser with shirt, shirt
    with coat, coat with ankle boot, ankle boot with dress, dress with sandal, sandal with bag, bag
    with pullover, pullover with sneaker, sneaker with T-shirt), otherwise, or if the scene has that
    class already, of any that it does not have. So all classes are about equally frequent, and
    neighbours on the cycle occur together more often than others.

    Scenes 0 to 499, the protocol's queries, are made of garments of the official test part, all
    others of the official train part, so no query shares a garment with the database or the
    training set. The garments are real images; the scenes were made for this project.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="Scenes of Fashion-MNIST garments",
        paper="ours, from Xiao, Rasul and Vollgraf, arXiv:1708.07747, 2017",
        citation="xiao2017fashion",
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "fashion-scenes@1"

    def load(self, root: Path | None) -> ImageData:
        """Make all scenes.

        Args:
            root: Not needed; the garments are in the package.

        Returns:
            uint8 (6000, 64, 64) and labels uint8 (6000, 10) with one to four 1s a row.

        Raises:
            DataError: If an embedded file is missing or damaged.
        """
        garments = read_embedded(EMBEDDED, "fashion_mnist_mini", size=(SIDE, SIDE))
        slots = MIXTURE.classes()
        members = MIXTURE.members(slots, _pools(garments))
        return ImageData(_pictures(garments.images, members), MIXTURE.labels(slots), CLASSES)

    def is_here(self, root: Path | None) -> bool:
        """Return True: it needs no file of the user's."""
        del root
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "6,000 grey images of 64 x 64, 1 to 4 garments of 10 classes on each",
            "classes": list(CLASSES),
            "source": "made from the embedded part of Fashion-MNIST",
            "licence": "MIT, copyright 2017 Zalando SE",
        }


def _pools(garments: EmbeddedImages) -> Callable[[int], tuple[NDArray[np.int64], ...]]:
    """Return a function that gives a class's garments: of the official test and train parts."""
    official_train = garments.sources < TRAIN_IMAGES

    def pools(number: int) -> tuple[NDArray[np.int64], ...]:
        mine = garments.numbers == number
        return np.flatnonzero(mine & ~official_train), np.flatnonzero(mine & official_train)

    return pools


def corners() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the row and the column of each garment's upper left pixel, int64 (6000, 4) both."""
    positions = np.arange(MIXTURE.images, dtype=np.int64)
    keys = [
        uniform(positions, MIXTURE.seed, purpose=f"quarter {number}")
        for number in range(MIXTURE.most)
    ]
    quarters = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")
    room = _QUARTER - SIDE + 1
    down, right = (
        np.stack([MIXTURE.integers(f"{way} {s}", room) for s in range(MIXTURE.most)], axis=1)
        for way in ("down", "right")
    )
    return quarters // 2 * _QUARTER + down, quarters % 2 * _QUARTER + right


def _pictures(garments: NDArray[np.uint8], members: NDArray[np.int64]) -> NDArray[np.uint8]:
    rows, columns = corners()
    pictures = np.zeros((len(members), CANVAS, CANVAS), dtype=np.uint8)
    for scene, slot in zip(*np.nonzero(members >= 0), strict=True):
        row, column = rows[scene, slot], columns[scene, slot]
        garment = garments[members[scene, slot]]
        pictures[scene, row : row + SIDE, column : column + SIDE] = garment
    return pictures
