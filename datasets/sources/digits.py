"""Handwritten digits, 8 x 8, as scikit-learn ships them: a toy for fast checks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.labels import one_hot

CLASSES = 10
LEVELS = 16
_SIDE = 8
_WHITE = 255
_FILE = Path("datasets", "data", "digits.csv.gz")


def to_bytes(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale the values 0..16 to 0..255: v becomes 255 v / 16, rounded half up."""
    return ((values.astype(np.int64) * _WHITE + LEVELS // 2) // LEVELS).astype(np.uint8)


def from_bytes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Invert `to_bytes` exactly: u becomes 16 u / 255, rounded."""
    return ((pixels.astype(np.int64) * LEVELS + _WHITE // 2) // _WHITE).astype(np.uint8)


class Digits(Dataset):
    """The test part of the UCI optical digits: 1,797 grey images of 8 x 8, ten classes."""

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="Optical recognition of handwritten digits (scikit-learn)",
        paper="Alpaydin and Kaynak, UCI Machine Learning Repository 1998",
        citation="alpaydin1998optical",
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "digits@1"

    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: Not needed; the images are in scikit-learn.

        Returns:
            uint8 (1797, 8, 8) by `to_bytes`, labels uint8 (1797, 10).
        """
        images, classes = read_digits()
        names = tuple(str(number) for number in range(CLASSES))
        return ImageData(to_bytes(images), one_hot(classes, CLASSES), names)

    def is_here(self, root: Path | None) -> bool:
        """Return True: it needs no file of the user's."""
        del root
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "1,797 grey images of 8 x 8, values 0..16 scaled to 0..255",
            "source": "inside scikit-learn (sklearn.datasets.load_digits)",
            "licence": "CC BY 4.0 (UCI Machine Learning Repository)",
        }


def read_digits() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read the file in scikit-learn's folder, without importing scikit-learn, which takes seconds.

    Returns:
        Images (1797, 8, 8) of values 0 to 16, and the class 0 to 9 of each.

    Raises:
        DataError: If scikit-learn is not installed, or no longer ships the file.
    """
    spec = find_spec("sklearn")
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [Path(folder) / _FILE for folder in folders]
    if not any(file.is_file() for file in files):
        raise DataError(f"digits: scikit-learn has no {_FILE}; install hashbench again")
    table = np.loadtxt(files[0], delimiter=",", dtype=np.int64)
    return table[:, :-1].reshape(-1, _SIDE, _SIDE), table[:, -1]
