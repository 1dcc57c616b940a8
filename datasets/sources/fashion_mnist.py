"""Fashion-MNIST: the embedded part of 7,500 images, and the whole from its IDX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.labels import one_hot
from hashbench.datasets.reading.idx import read_idx
from hashbench.datasets.sources.embedded_images import EMBEDDED, read_embedded

CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SIDE = 28
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
BELOW_ROOT = ("fashion-mnist", "FashionMNIST/raw")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_PAPER = "Xiao, Rasul and Vollgraf, arXiv:1708.07747, 2017"
_CITATION = "xiao2017fashion"
_LICENCE = "MIT, copyright 2017 Zalando SE"
_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class FashionMNISTMini(Dataset):
    """The embedded part: 7,000 images of the official train part and 500 of the test part.

    Positions follow the official order, so the 500 test images are the last.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="Fashion-MNIST, embedded part",
        paper=_PAPER,
        citation=_CITATION,
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "fashion-mnist-mini@1"

    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: Not needed; the images are in the package.

        Returns:
            uint8 (7500, 28, 28), labels uint8 (7500, 10).

        Raises:
            DataError: If an embedded file is missing or damaged.
        """
        embedded = read_embedded(EMBEDDED, "fashion_mnist_mini", size=(SIDE, SIDE))
        return ImageData(embedded.images, one_hot(embedded.numbers, len(CLASSES)), CLASSES)

    def is_here(self, root: Path | None) -> bool:
        """Return True: it needs no file of the user's."""
        del root
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "7,500 grey images of 28 x 28, 750 of each of 10 classes",
            "classes": list(CLASSES),
            "source": "inside the package; made by tools/make_fashion_mnist_mini.py",
            "licence": _LICENCE,
        }


class FashionMNIST(Dataset):
    """All 70,000 images, from the four official IDX files, gzipped or not."""

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="Fashion-MNIST",
        paper=_PAPER,
        citation=_CITATION,
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "fashion-mnist@1"

    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: A folder with the IDX files in ``fashion-mnist`` or ``FashionMNIST/raw`` below
                it. Without one, or if it has neither, the folder of Debian's package is used.

        Returns:
            uint8 (70000, 28, 28), the 60,000 official train images first; labels (70000, 10).

        Raises:
            DataError: If a file is missing, damaged or not what was published.
        """
        return read_fashion_mnist(find_folder(root), train=TRAIN_IMAGES, test=TEST_IMAGES)

    def is_here(self, root: Path | None) -> bool:
        """Whether one of the four files exists in one of its folders."""
        try:
            find_folder(root)
        except DataError:
            return False
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "70,000 grey images of 28 x 28 (60,000 train, 10,000 test), 10 classes",
            "classes": list(CLASSES),
            "looked for in": [f"DATA_ROOT/{name}" for name in BELOW_ROOT] + [str(DEBIAN_FOLDER)],
            "licence": _LICENCE,
        }


def find_folder(root: Path | None) -> Path:
    """Find the folder of the IDX files: the first that has any of the four.

    Raises:
        DataError: If the root does not exist, or no folder has a file.
    """
    if root is not None and not root.is_dir():
        raise DataError(f"data root {root}: no such folder; name one that exists, or none")
    places = [root / name for name in BELOW_ROOT] if root else []
    places.append(DEBIAN_FOLDER)
    for place in places:
        if any(_present(place, stem) for stem in _STEMS):
            return place
    raise DataError(
        f"fashion_mnist: expected the IDX files ({_STEMS[0]}[.gz], ...) in one of "
        f"{', '.join(map(str, places))}, found none; put them into DATA_ROOT/{BELOW_ROOT[0]} and "
        f"set HASHBENCH_DATA to DATA_ROOT, or install Debian's package dataset-fashion-mnist"
    )


def read_fashion_mnist(folder: Path, *, train: int | None, test: int | None) -> ImageData:
    """Read the four IDX files of a folder.

    ``train`` and ``test`` are the images expected in each part; None accepts any number.

    Returns:
        uint8 (train + test, 28, 28), train images first, and their labels.

    Raises:
        DataError: If a file is missing, damaged, or not of the expected size.
    """
    parts = [
        _read_part(folder, images, labels, count=count)
        for images, labels, count in ((*_STEMS[:2], train), (*_STEMS[2:], test))
    ]
    images, numbers = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return ImageData(images, one_hot(numbers, len(CLASSES)), CLASSES)


def _read_part(
    folder: Path, images_stem: str, labels_stem: str, *, count: int | None
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]:
    images = read_idx(_file(folder, images_stem), (count, SIDE, SIDE))
    path = _file(folder, labels_stem)
    numbers = read_idx(path, (len(images),))
    if len(numbers) and numbers.max() >= len(CLASSES):
        raise DataError(
            f"{path}: expected labels 0 to {len(CLASSES) - 1}, found {numbers.max()}; "
            f"fetch the original file again"
        )
    return images, numbers


def _present(folder: Path, stem: str) -> Path | None:
    found = (folder / name for name in (stem, f"{stem}.gz"))
    return next((path for path in found if path.is_file()), None)


def _file(folder: Path, stem: str) -> Path:
    path = _present(folder, stem)
    if path is None:
        raise DataError(
            f"{folder / stem}: expected this file, or it with .gz, found neither; fetch the four "
            f"official files again"
        )
    return path
