"""Images in a zip file from an untrusted origin."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashbench.core.errors import DataError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.datasets.importing.image_source import ImageSource, is_hidden, is_image
from hashbench.datasets.reading.decode_cache import ImageFile, Progress

MOST_BYTES = 256 * 2**30
_MOST_RATIO = 200  # photos hardly shrink; a zip bomb shrinks a thousandfold
_RATIO_FROM = 2**20  # bytes; a smaller plain picture may well shrink more
_ENCRYPTED = 0x1
_BLOCK = 1 << 20


class ZipSource(ImageSource):
    """The images of a zip file, unpacked by `files`.

    Args:
        path: The file.
        most_bytes: Most bytes that its images may have when unpacked.

    Raises:
        DataError: If it is no complete zip file, has no image, or contains a name that leads out
            of it, a link, an encrypted image, one name twice, or more than the limits allow.
            Nothing is written then.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        with self._open() as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
        for member in members:
            self._check(member)
        shown = [member for member in members if not is_hidden(member.filename)]
        images = [member for member in shown if is_image(member.filename)]
        self._members = {member.filename: member for member in images}
        self.names = tuple(sorted(self._members))
        self.others = len(shown) - len(images)
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

    def stamps(self, names: Sequence[str]) -> list[Any]:
        """Return size and checksum of each file."""
        return [[name, self._members[name].file_size, self._members[name].CRC] for name in names]

    def files(
        self, names: Sequence[str], into: Path, *, progress: Progress | None = None
    ) -> list[ImageFile]:
        """Unpack images, except those that an earlier call unpacked.

        Raises:
            DataError: If an image in it is damaged.
            StoreError: If the disk has too little room.
        """
        into.mkdir(parents=True, exist_ok=True)
        self._check_room(names, into)
        found = []
        with self._open() as archive:
            for done, name in enumerate(names, start=1):
                member = self._members[name]
                target = _target(member, into)
                if not _is_unpacked(target, member):
                    self._unpack(archive, member, target)
                found.append(ImageFile(name, target))
                if progress is not None:
                    progress(done, len(names))
        return found

    def _check_room(self, names: Sequence[str], into: Path) -> None:
        left = (self._members[name] for name in names)
        needed = sum(m.file_size for m in left if not _is_unpacked(_target(m, into), m))
        free = shutil.disk_usage(into).free
        if needed > free:
            raise StoreError(
                f"cannot unpack {self._path}: its images have {needed / 2**20:,.0f} MiB, "
                f"{free / 2**20:,.0f} MiB are free; make room or name another data root"
            )

    def _unpack(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
        temporary = target.with_name(f"{TEMPORARY_PREFIX}{target.name}")
        try:
            # Reading stops at the size that was checked, and compares the checksum there.
            with archive.open(member) as packed, temporary.open("wb") as file:
                shutil.copyfileobj(packed, file, _BLOCK)
            os.utime(temporary, ns=_times(member))
            temporary.replace(target)
        except OSError as error:
            raise StoreError(f"cannot unpack {self._path} to {target.parent}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise DataError(
                f"{self._path}: expected a complete zip file or a folder, found: {error}; copy "
                f"the zip file again (a list or table of labels goes with --labels)"
            ) from None
        except FileNotFoundError:
            raise DataError(f"{self._path}: no such file") from None

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
            raise DataError(f"{self._path}: the name {name!r} leads out of it; not unpacked")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{self._path}: {name!r} is a link; zip the files themselves")
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{self._path}: {name!r} is encrypted; unpack it yourself")
        packed = max(member.compress_size, 1)
        if member.file_size > _RATIO_FROM and member.file_size > _MOST_RATIO * packed:
            raise DataError(
                f"{self._path}: {name!r} would unpack to {member.file_size:,} bytes, more than "
                f"{_MOST_RATIO} times its size; not unpacked"
            )


def _target(member: zipfile.ZipInfo, into: Path) -> Path:
    # Named by a number, not by the name in the archive, so that it cannot lead elsewhere.
    return into / f"{member.header_offset}{Path(member.filename).suffix.lower()}"


def _times(member: zipfile.ZipInfo) -> tuple[int, int]:
    # The checksum as modification time, so that equal times mean equal content.
    return member.CRC, member.CRC


def _is_unpacked(target: Path, member: zipfile.ZipInfo) -> bool:
    try:
        found = target.stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (member.file_size, member.CRC)
