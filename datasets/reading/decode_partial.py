"""A cache of decoded images while it is being written: pixels, and a journal of what they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hashbench.core.files import TEMPORARY_PREFIX

_BLOCK = 1 << 22
_HEADER = 128  # bytes; a multiple of 64, so that pixels are aligned
_PREFIX = 10  # of them before the fields: magic string, version, length


class PartialPixels:
    """The pixels written so far under a temporary name, which a later process can go on with.

    Every `append` is synced before the journal says so, and the journal carries the digest of all
    pixels up to there: what a killed process left is taken up only as far as it is whole.

    Args:
        path: The ``.npy`` file that it is to become; only one process at a time may write it.
        side: Sides of an image.

    Attributes:
        done: Files dealt with.
        written: Images among them that could be read.
        kept: Their positions.
        unreadable: Name and reason of each of the others.
    """

    def __init__(self, path: Path, side: int) -> None:
        self.done = 0
        self.written = 0
        self.kept: list[int] = []
        self.unreadable: list[tuple[str, str]] = []
        self._path = path
        self._shape = (side, side, 3)
        self._sha = hashlib.sha256()
        self._pixels_path = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
        self._journal_path = self._pixels_path.with_suffix(".journal")

    def __enter__(self) -> Self:
        self._pixels = self._pixels_path.open("a+b")
        self._journal = self._journal_path.open("a+b")
        self._take_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pixels.close()
        self._journal.close()

    @property
    def sha256(self) -> str:
        """Digest of the pixels written."""
        return self._sha.hexdigest()

    def append(self, results: Sequence[NDArray[np.uint8] | str], names: Sequence[str]) -> None:
        """Write the next files' images, or why there is none.

        Args:
            results: uint8 (side, side, 3) each, or a reason.
            names: Of the files.

        Raises:
            OSError: If the disk is full.
        """
        for image in results:
            if not isinstance(image, str):
                self._pixels.write(image.data)
                self._sha.update(image.data)
        _sync(self._pixels)
        bad = [(place, result) for place, result in enumerate(results) if isinstance(result, str)]
        entry = {
            "files": len(results),
            "unreadable": [[place, names[place], reason] for place, reason in bad],
            "sha256": self.sha256,
        }
        self._note(entry)
        self._journal.write(json.dumps(entry).encode() + b"\n")
        _sync(self._journal)

    def finish(self) -> None:
        """Give the file its header and its name, and remove the journal."""
        self._pixels.close()
        with self._pixels_path.open("r+b") as file:
            file.write(header(self.written, self._shape[0]))
            _sync(file)
        self._pixels_path.replace(self._path)
        self._journal_path.unlink()

    def discard(self) -> None:
        """Remove what was written."""
        self._pixels_path.unlink()
        self._journal_path.unlink()

    def _note(self, entry: dict[str, Any]) -> None:
        bad = {place for place, _, _ in entry["unreadable"]}
        good = [self.done + place for place in range(entry["files"]) if place not in bad]
        self.kept += good
        self.unreadable += [(name, reason) for _, name, reason in entry["unreadable"]]
        self.done += entry["files"]
        self.written += len(good)

    def _take_up(self) -> None:
        """Go on after the last entry whose pixels are all there."""
        whole = 0
        self._journal.seek(0)
        self._pixels.seek(_HEADER)
        for line in self._journal:
            entry = _whole_entry(line)
            if entry is None or not self._hash_on(entry):
                break
            self._note(entry)
            whole += len(line)
        self._journal.truncate(whole)
        if not self.done:
            self._pixels.truncate(0)
            self._pixels.write(header(0, self._shape[0]))
            self._pixels.flush()
        self._pixels.truncate(_HEADER + self.written * self._size)

    @property
    def _size(self) -> int:
        return self._shape[0] * self._shape[1] * self._shape[2]

    def _hash_on(self, entry: dict[str, Any]) -> bool:
        """Hash the pixels of an entry; False, and nothing hashed, if they are not what it says."""
        sha = self._sha.copy()
        left = (entry["files"] - len(entry["unreadable"])) * self._size
        while left and (block := self._pixels.read(min(left, _BLOCK))):
            sha.update(block)
            left -= len(block)
        if left or sha.hexdigest() != entry["sha256"]:
            return False
        self._sha = sha
        return True


def header(count: int, side: int) -> bytes:
    """The ``.npy`` header of an array of images; its length does not depend on their number.

    Args:
        count: Number of images.
        side: Pixels of their sides.
    """
    facts = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)}
    fields = (repr(facts).ljust(_HEADER - _PREFIX - 1) + "\n").encode("latin1")
    return npy.magic(1, 0) + len(fields).to_bytes(2, "little") + fields


def _whole_entry(line: bytes) -> dict[str, Any] | None:
    with suppress(ValueError):
        entry = json.loads(line)
        if line.endswith(b"\n") and isinstance(entry, dict):
            return entry
    return None


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
