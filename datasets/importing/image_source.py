"""Sources of images to import: the interface of all, and folders."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.reading.decode_cache import ImageFile

_NOT_PHOTOS = frozenset({".pdf", ".ps", ".eps", ".mpg", ".mpeg"})  # suffixes that Pillow lists


class ImageSource(ABC):
    """Files by name; a name is a path below the source, with forward slashes.

    Attributes:
        names: Sorted names of the files that are images by their suffix.
        others: Sorted names of the other files.
    """

    names: tuple[str, ...]
    others: tuple[str, ...]

    @abstractmethod
    def files(self, names: Sequence[str]) -> list[ImageFile]:
        """Return files to decode."""


class FolderSource(ImageSource):
    """The files of a folder and its sub-folders, without hidden ones; links to files are followed.

    Raises:
        DataError: If it is no folder, cannot be read, has no image, or contains a link to a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = {_text(path.relative_to(folder)): path for path in _walk(folder)}
        self.names = tuple(sorted(name for name in self._paths if is_image(name)))
        self.others = tuple(sorted(name for name in self._paths if not is_image(name)))
        if not self.names:
            raise DataError(f"{folder}: expected images in it, found none")

    def files(self, names: Sequence[str]) -> list[ImageFile]:
        """Return the files where they are."""
        return [ImageFile(name, self._paths[name]) for name in names]


def is_image(name: str) -> bool:
    """Whether a file's suffix is one of an image format that Pillow reads."""
    suffix = Path(name).suffix.lower()
    return suffix not in _NOT_PHOTOS and suffix in Image.registered_extensions()


def is_hidden(name: str) -> bool:
    """Whether a file or a folder above it is hidden or ``__MACOSX``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name a folder of images or a zip file")
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise DataError(
                    f"{Path(place) / name}: a link to a folder, which is not followed; put the "
                    f"folder itself in its place"
                )
        yield from (Path(place) / name for name in files if not is_hidden(name))


def _text(path: Path) -> str:
    # A name in another encoding than UTF-8 shows its bytes as \\xNN.
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
