"""CIFAR-10 from its official Python archive, packed or unpacked."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.labels import one_hot
from hashbench.datasets.reading.array_pickle import read_array_pickle

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
SIDE = 32
BATCH_IMAGES = 10_000
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
BELOW_ROOT = tuple(f"{below}{name}" for below in ("", "cifar10/") for name in (FOLDER, ARCHIVE))
# A batch has 31 MB as published and up to 45 MB as other versions of Python write it.
_MOST_BYTES = 64 * 2**20
_REMEDY = "fetch the original archive again"


class CIFAR10(Dataset):
    """All 60,000 images, those of the five train batches first, then the test batch."""

    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="CIFAR-10",
        paper="Krizhevsky, technical report, University of Toronto, 2009",
        citation="krizhevsky2009learning",
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "cifar10@1"

    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: A folder that contains ``cifar-10-batches-py`` or ``cifar-10-python.tar.gz``, or
                has them in ``cifar10`` below it.

        Returns:
            uint8 (60000, 32, 32, 3) RGB, the 50,000 official train images first; labels uint8
            (60000, 10).

        Raises:
            DataError: If there is no such folder or file, or a batch is missing, damaged or not
                as published.
        """
        return read_cifar10(find_source(root), batch=BATCH_IMAGES)

    def is_here(self, root: Path | None) -> bool:
        """Whether the archive or the unpacked folder exists."""
        try:
            find_source(root)
        except DataError:
            return False
        return True

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "60,000 colour images of 32 x 32 (50,000 train, 10,000 test), 10 classes",
            "classes": list(CLASSES),
            "looked for in": [f"DATA_ROOT/{name}" for name in BELOW_ROOT],
            "licence": "none stated by its authors",
        }


def find_source(root: Path | None) -> Path:
    """Find the archive, or the folder unpacked from it, in the user's data root.

    Raises:
        DataError: If no root is named, it does not exist, or it has neither.
    """
    if root is not None and not root.is_dir():
        raise DataError(f"data root {root}: no such folder; name one that exists")
    places = [root / name for name in BELOW_ROOT] if root else []
    for place in places:
        if place.is_dir() or place.is_file():
            return place
    looked = f"one of {', '.join(map(str, places))}" if root else "a data root"
    raise DataError(
        f"cifar10: expected the folder {FOLDER} ({', '.join(BATCHES)}) or the file {ARCHIVE} in "
        f"{looked}, found none; put one of them into DATA_ROOT and set HASHBENCH_DATA to DATA_ROOT"
    )


def read_cifar10(source: Path, *, batch: int) -> ImageData:
    """Read the six batches of a folder or archive, each with ``batch`` images.

    Returns:
        uint8 (6 batch, 32, 32, 3), the five train batches first, and their labels.

    Raises:
        DataError: If a batch is missing, damaged, or not of the expected size.
    """
    contents = _unpacked(source) if source.is_dir() else _archived(source)
    images = np.empty((len(BATCHES) * batch, SIDE, SIDE, 3), dtype=np.uint8)
    numbers = np.empty(len(images), dtype=np.uint8)
    for place, name in enumerate(BATCHES):
        rows = slice(place * batch, (place + 1) * batch)
        where = f"{source / name}"
        content = read_array_pickle(contents.pop(name), where)
        images[rows] = _images(content.get(b"data"), batch, where=where)
        numbers[rows] = _numbers(content.get(b"labels"), batch, where=where)
    return ImageData(images, one_hot(numbers, len(CLASSES)), CLASSES)


def _images(data: object, count: int, *, where: str) -> NDArray[np.uint8]:
    shape = (count, 3 * SIDE * SIDE)
    found = data.shape if isinstance(data, np.ndarray) else "none"
    if not isinstance(data, np.ndarray) or data.shape != shape:
        raise DataError(f"{where}: expected 'data' of shape {shape}, found {found}; {_REMEDY}")
    # A row is the red plane, then the green, then the blue one.
    return data.reshape(count, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _numbers(labels: object, count: int, *, where: str) -> NDArray[np.uint8]:
    found = len(labels) if isinstance(labels, list) else "none"
    if not isinstance(labels, list) or len(labels) != count:
        raise DataError(f"{where}: expected {count} 'labels', found {found}; {_REMEDY}")
    for place, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < len(CLASSES):
            raise DataError(
                f"{where}: expected labels 0 to {len(CLASSES) - 1}, found another at position "
                f"{place}; {_REMEDY}"
            )
    return np.array(labels, dtype=np.uint8)


def _unpacked(folder: Path) -> dict[str, bytes]:
    contents = {}
    for name in BATCHES:
        path = folder / name
        try:
            _check_size(path.stat().st_size, str(path))
            contents[name] = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path}: expected this batch, cannot be read: {error.strerror}; {_REMEDY}"
            ) from None
    return contents


def _archived(path: Path) -> dict[str, bytes]:
    """Read the batches from the archive in memory; nothing is unpacked to disk."""
    wanted = {f"{FOLDER}/{name}": name for name in BATCHES}
    contents = {}
    try:
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                name = wanted.get(member.name)
                file = tar.extractfile(member) if name and member.isfile() else None
                if name and file:
                    _check_size(member.size, f"{path / name}")
                    contents[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a whole tar.gz file, found: {error}; {_REMEDY}"
        ) from None
    missing = [name for name in BATCHES if name not in contents]
    if missing:
        raise DataError(f"{path}: expected {FOLDER}/{missing[0]} in it, found none; {_REMEDY}")
    return contents


def _check_size(size: int, where: str) -> None:
    if size > _MOST_BYTES:
        raise DataError(f"{where}: expected at most {_MOST_BYTES} bytes, found {size}; {_REMEDY}")
