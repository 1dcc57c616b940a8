"""Images that a user sent, several files or zips of them, one after another and none trusted.

What a zip calls an image is a name and nothing else: nothing is unpacked to the disk.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hashbench.serve.upload import MOST_BYTES
from hashbench.studio.context import Limits

_LONGEST_NAME = 200
_ZIP = ".zip"


@dataclass(frozen=True, slots=True)
class SentImage:
    """A file that was sent.

    Attributes:
        name: What it is called, fit to be shown.
        data: Its bytes; empty if there is a problem.
        problem: Why it is no image to be taken; empty if it may be one.
    """

    name: str
    data: bytes = b""
    problem: str = ""


def sent_images(paths: Sequence[Path], limits: Limits) -> Iterator[SentImage]:
    """Read what was sent, a file at a time.

    Args:
        paths: Files, and zips of files.
        limits: How many files, and how many bytes in all, are read; a problem tells of the rest.
    """
    count, total = 0, 0
    for image in (image for path in paths for image in _of(path)):
        count, total = count + 1, total + len(image.data)
        if count > limits.files:
            yield SentImage(image.name, problem=f"more than {limits.files:,} files; send the rest")
            return
        if total > limits.upload_bytes:
            most = limits.upload_bytes // 2**20
            yield SentImage(image.name, problem=f"more than {most:,} MiB in all; send the rest")
            return
        yield image


def shown_name(name: str) -> str:
    """A name with what cannot be printed replaced, and its end where it is long."""
    return "".join(c if c.isprintable() else "?" for c in name)[-_LONGEST_NAME:] or "image"


def _of(path: Path) -> Iterator[SentImage]:
    name = shown_name(path.name)
    if path.suffix.lower() == _ZIP:
        yield from _zipped(path, name)
        return
    try:
        if path.stat().st_size > MOST_BYTES:
            yield SentImage(name, problem=_too_large())
        else:
            yield SentImage(name, path.read_bytes())
    except OSError as error:
        yield SentImage(name, problem=f"cannot be read: {error.strerror or error}")


def _zipped(path: Path, name: str) -> Iterator[SentImage]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if not entry.is_dir() and not _hidden(entry.filename):
                    yield _entry(archive, entry)
    except (zipfile.BadZipFile, OSError, ValueError):
        yield SentImage(name, problem="is no zip, or a damaged one")


def _hidden(name: str) -> bool:
    """Whether it is one of the files that systems add: ``.DS_Store``, ``__MACOSX/...``."""
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> SentImage:
    name = shown_name(entry.filename)
    if entry.file_size > MOST_BYTES:
        return SentImage(name, problem=_too_large())
    try:
        with archive.open(entry) as file:
            data = file.read(MOST_BYTES + 1)  # whatever its header says
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError):
        return SentImage(name, problem="is damaged in the zip")
    except (RuntimeError, NotImplementedError):
        return SentImage(name, problem="is encrypted, or packed in a way that is not known")
    if len(data) > MOST_BYTES:
        return SentImage(name, problem=_too_large())
    return SentImage(name, data)


def _too_large() -> str:
    return f"has more than {MOST_BYTES // 2**20} MiB"
