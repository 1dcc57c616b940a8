"""Datasets of photo files with annotation files beside them, as their authors published them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.reading.decode_cache import ImageFile, decode_images

SIDE = 256
CACHE = ".hashbench-cache"
REMEDY = "unpack the original archive again"


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedPhotos:
    """The photos and labels that a dataset's annotations name.

    Attributes:
        files: N image files, in the order of positions.
        labels: uint8 (N, classes), multi-hot.
        classes: Class names, in column order.
    """

    files: Sequence[ImageFile]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]


class PhotoDataset(Dataset):
    """A dataset of photos, which are decoded once into a cache in the data root.

    Attributes:
        NAME: Its name in the registry, and of its folder in the cache.
        SOURCE: Where the user gets it, for messages.
    """

    NAME: ClassVar[str]
    SOURCE: ClassVar[str]

    @abstractmethod
    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the annotations; no image is opened.

        Args:
            root: The user's data root, which exists.

        Raises:
            DataError: If a file is missing, damaged or not what was published.
        """

    def is_here(self, root: Path | None) -> bool | None:
        """Return False without a data root, else None: only reading the annotations can tell."""
        return None if root is not None and root.is_dir() else False

    def load(self, root: Path | None) -> ImageData:
        """Read annotations and images; see `decode`."""
        return self.decode(root)

    def names(self, root: Path | None) -> Sequence[str]:
        """Return the paths of the photos, from the annotations."""
        return [file.name for file in self.annotated(self._existing(root)).files]

    def decode(
        self,
        root: Path | None,
        *,
        progress: Callable[[int, int], None] | None = None,
        verify: bool = False,
    ) -> ImageData:
        """Read annotations and images; images are decoded once, into a cache in the data root.

        Args:
            root: The user's data root.
            progress: Called with the images decoded so far and their number.
            verify: Read an existing cache and compare its checksum; decode again if it differs.

        Returns:
            uint8 (N, 256, 256, 3) RGB, memory-mapped: the shorter side resized to 256, the centre
            square kept; labels uint8 (N, classes).

        Raises:
            DataError: If there is no data root, or a file is missing, damaged or not what was
                published.
        """
        root = self._existing(root)
        photos = self.annotated(root)
        check_present(self.NAME, photos.files)
        decoded = decode_images(
            photos.files,
            side=SIDE,
            cache=root / CACHE / self.NAME,
            progress=progress,
            verify=verify,
        )
        if decoded.unreadable:
            first = decoded.unreadable[0]
            raise DataError(
                f"{self.NAME}: {len(decoded.unreadable)} of {len(photos.files)} images cannot be "
                f"read, the first: {first.name}: {first.reason}; {REMEDY}"
            )
        return ImageData(
            decoded.images, photos.labels, photos.classes, pixels_sha256=decoded.sha256
        )

    def _existing(self, root: Path | None) -> Path:
        if root is None:
            raise DataError(
                f"{self.NAME}: expected a data root, found none; set HASHBENCH_DATA to the folder "
                f"that has it ({self.SOURCE})"
            )
        if not root.is_dir():
            raise DataError(f"data root {root}: no such folder; name one that exists")
        return root


def find_folder(root: Path, below: Sequence[str], *, marker: str, name: str, source: str) -> Path:
    """Find a dataset's folder.

    Args:
        root: The user's data root.
        below: Folders below it, the usual one first; "" is the root itself.
        marker: A path that the folder must contain.
        name: The dataset's name, for the message.
        source: Where the user gets it, for the message.

    Raises:
        DataError: If no folder contains the marker.
    """
    places = [root / place for place in below]
    for place in places:
        if (place / marker).exists():
            return place
    raise DataError(
        f"{name}: expected {marker} in one of {', '.join(map(str, places))}, found none; unpack "
        f"the original archives ({source}) into {places[0]}"
    )


def check_present(name: str, files: Sequence[ImageFile]) -> None:
    """Check that every image exists, before any is decoded.

    Raises:
        DataError: If one is missing; counts them and names the first.
    """
    missing = [file for file in files if not file.path.is_file()]
    if missing:
        raise DataError(
            f"{name}: {len(missing)} of {len(files)} images are missing, the first: "
            f"{missing[0].path}; {REMEDY}"
        )


def read_annotation(path: Path, *, most_bytes: int) -> bytes:
    """Read an annotation file.

    Raises:
        DataError: If it is missing, cannot be read, or has more than ``most_bytes``, a limit above
            any published one.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= most_bytes else b""
    except OSError as error:
        raise DataError(
            f"{path}: expected this annotation file, cannot be read: {error.strerror}; {REMEDY}"
        ) from None
    if size > most_bytes:
        raise DataError(f"{path}: expected at most {most_bytes} bytes, found {size}; {REMEDY}")
    return content


def read_lines(path: Path, *, most_bytes: int) -> list[str]:
    """Read the stripped, non-empty lines of an annotation file.

    Raises:
        DataError: As `read_annotation`, or if it is not UTF-8 text.
    """
    content = read_annotation(path, most_bytes=most_bytes)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected text, found other bytes; {REMEDY}") from None
    return [line for line in map(str.strip, lines) if line]
