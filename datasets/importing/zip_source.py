"""Images in a zip file from an untrusted origin, read without unpacking it to the disk."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hashbench.core.errors import DataError
from hashbench.datasets.importing.image_source import ImageSource, is_hidden, is_image
from hashbench.datasets.reading.decode_cache import ImageFile

MOST_BYTES = 256 * 2**30
_MOST_IMAGE_BYTES = 2**29  # more than any image that Pillow would decode
_MOST_RATIO = 200  # photos hardly shrink; a zip bomb shrinks a thousandfold
_RATIO_FROM = 2**20  # bytes; a smaller plain picture may well shrink more
_ENCRYPTED = 0x1


class ZipSource(ImageSource):
    """The images of a zip file.

    Args:
        path: The file.
        most_bytes: Most bytes that its images may have when unpacked.

    Raises:
        DataError: If it is no complete zip file, has no image, or contains a name that leads out
            of it, a link, an encrypted image, one name twice, or more than the limits allow.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        with _errors_of(path):
            self._archive = zipfile.ZipFile(path)
        members = [member for member in self._archive.infolist() if not member.is_dir()]
        for member in members:
            self._check(member)
        shown = [member for member in members if not is_hidden(member.filename)]
        images = [member for member in shown if is_image(member.filename)]
        self._members = {member.filename: member for member in images}
        self.names = tuple(sorted(self._members))
        others = (member.filename for member in shown if not is_image(member.filename))
        self.others = tuple(sorted(others))
        if not images:
            raise DataError(f"{path}: expected images in it, found none")
        if len(self._members) < len(images):
            raise DataError(f"{path}: has two files of one name; zip the folder again")
        total = sum(member.file_size for member in images)
        if total > most_bytes:
            raise DataError(
                f"{path}: its images have {total:,} bytes, more than the {most_bytes:,} allowed; "
                f"unpack it yourself and import the folder"
            )

    def files(self, names: Sequence[str]) -> list[ImageFile]:
        """Return the images, which are read from the zip file when they are opened."""
        return [
            _ZippedImage(name, self._path, self._archive, self._members[name]) for name in names
        ]

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
            raise DataError(f"{self._path}: the name {name!r} leads out of it; nothing was read")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{self._path}: {name!r} is a link; zip the files themselves")
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{self._path}: {name!r} is encrypted; unpack it yourself")
        packed = max(member.compress_size, 1)
        if member.file_size > _MOST_IMAGE_BYTES or (
            member.file_size > _RATIO_FROM and member.file_size > _MOST_RATIO * packed
        ):
            raise DataError(
                f"{self._path}: {name!r} would unpack to {member.file_size:,} bytes, more than "
                f"{_MOST_RATIO} times its size or {_MOST_IMAGE_BYTES:,} bytes; nothing was read"
            )


@dataclass(frozen=True, slots=True)
class _ZippedImage(ImageFile):
    """An image in a zip file."""

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo

    def open(self) -> BinaryIO:
        """Read the image into memory, no more than the size that was checked.

        Raises:
            DataError: If it is damaged.
        """
        with _errors_of(self.path), self.archive.open(self.member) as packed:
            return io.BytesIO(packed.read(self.member.file_size))

    def stamp(self) -> tuple[int, int]:
        """Return size and checksum."""
        return self.member.file_size, self.member.CRC


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{path}: expected a complete zip file or a folder, found: {error}; copy the zip file "
            f"again (a list or table of labels goes with --labels)"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
