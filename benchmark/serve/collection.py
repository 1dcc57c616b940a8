"""A collection: images that somebody adds to and takes out of an index, without training anew.

It is no record. ``STORE/.collections/NAME`` holds ``collection.json``, which says whose codes they
are, a journal that is appended to, and a thumbnail for each image that was sent. A line
of the journal is one change, whole or absent: its CRC-32, a space, and JSON. What a crash left of a
last line does not count and is overwritten. When most of the journal is of images that were taken
out since, it is written anew without them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError, DataError, StoreError
from hashbench.core.files import write_atomically
from hashbench.serve.index import Index
from hashbench.serve.journal import Replay, added, line_of
from hashbench.serve.refusal import Refusal
from hashbench.serve.shelf import Columns, Item, Shelf

ABOUT: Final = "collection.json"
JOURNAL: Final = "journal.txt"
_THUMBNAILS: Final = "thumbnails"
_FEW: Final = 100  # removed images that do not yet make the journal be written anew
_MANY_LINES: Final = 10_000  # that make it be written anew when it is opened


@dataclass(frozen=True, slots=True)
class About:
    """What a collection is.

    Attributes:
        name: Its name, that of its folder.
        fit_id: The cell whose method encodes its images.
        fit_record: The very fit.
        bits: Code length; None for embeddings.
        created: When, UTC, ISO 8601.
        version: Of the layout.
    """

    name: str
    fit_id: str
    fit_record: str
    bits: int | None
    created: str
    version: int = 1


class Collection:
    """A collection on disk and in memory; safe for several threads of one process.

    Args:
        folder: Where it lies; `create` makes a new one.

    Raises:
        DamagedStoreError: If it is not what was written.
        StoreError: If it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = _read_about(folder)
        self._lock = threading.Lock()
        self._shelf = Shelf()
        self._next = 0
        self._length = 0  # bytes of the journal that count
        self._index: tuple[Index, Columns] | None = None
        self._open_journal()

    @classmethod
    def create(cls, folder: Path, about: About) -> Collection:
        """Make an empty collection.

        Raises:
            Refusal: 409 if there is one in that folder.
            StoreError: If it cannot be written.
        """
        if (folder / ABOUT).exists():
            raise Refusal(HTTPStatus.CONFLICT, f"collection '{about.name}' is there already")
        write_atomically(folder / JOURNAL, b"")
        write_atomically(folder / ABOUT, json.dumps(asdict(about), indent=1).encode() + b"\n")
        return cls(folder)

    def __len__(self) -> int:
        return len(self._shelf)

    def items(self) -> Columns:
        """What is in it now, in the order of adding."""
        with self._lock:
            return self._index[1] if self._index else self._shelf.columns()

    def item(self, number: int) -> Item:
        """One image.

        Raises:
            Refusal: 404 if it is not there.
        """
        with self._lock:
            return self._there(number)

    def add(
        self,
        codes: Codes | Embeddings,
        names: Sequence[str],
        *,
        thumbnail: bytes | None = None,
        database: bool = False,
    ) -> list[int]:
        """Add images; all of them or, where that fails, none.

        Args:
            codes: By the collection's own fit, one row an image.
            names: What they are called.
            thumbnail: A PNG, of an image that is added by itself.
            database: Whether they are the fit's database, in its order.

        Returns:
            Their numbers.

        Raises:
            DataError: If the codes are of another length or kind.
            StoreError: If that cannot be written.
        """
        bits = codes.bits if isinstance(codes, Codes) else None
        if bits != self.about.bits or len(codes) != len(names):
            raise DataError(f"collection '{self.about.name}': codes that are not of its own fit")
        with self._lock:
            ids = np.arange(self._next, self._next + len(names), dtype=np.int64)
            places = range(len(names)) if database else None
            new = Columns.of(ids, _bytes_of(codes), names=names, places=places)
            if thumbnail is not None:
                write_atomically(self._thumbnail(self._next), thumbnail)
            self._append(added(new))
            self._shelf.add(new)
            self._next, self._index = self._next + len(names), None
        return [int(number) for number in ids]

    def remove(self, number: int) -> None:
        """Take an image out.

        Raises:
            Refusal: 404 if it is not there.
            StoreError: If that cannot be written.
        """
        with self._lock:
            self._there(number)
            self._append({"remove": [number]})
            self._shelf.remove(number)
            self._index = None
            with suppress(OSError):
                self._thumbnail(number).unlink()
            if self._shelf.removed > max(len(self._shelf), _FEW):
                self._rewrite()

    def thumbnail(self, number: int) -> bytes | None:
        """The PNG of an image that was sent; None of one that has none.

        Raises:
            Refusal: 404 if the image is not there.
        """
        self.item(number)
        try:
            return self._thumbnail(number).read_bytes()
        except OSError:
            return None

    def index(self) -> tuple[Index, Columns]:
        """What is searched, and the image of each position; built when something has changed.

        Raises:
            Refusal: 409 if the collection is empty.
        """
        with self._lock:
            if not len(self._shelf):
                raise Refusal(
                    HTTPStatus.CONFLICT, f"collection '{self.about.name}' is empty; add images"
                )
            if self._index is None:
                columns = self._shelf.columns()
                self._index = Index(self._codes(columns.rows)), columns
            return self._index

    def _codes(self, rows: NDArray[np.uint8]) -> Codes | Embeddings:
        if self.about.bits is None:
            return Embeddings(np.ascontiguousarray(rows).view(np.float32))
        return Codes(rows, self.about.bits)

    def _there(self, number: int) -> Item:
        found = self._shelf.find(number)
        if found is None:
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"collection '{self.about.name}' has no image {number}"
            )
        return found

    def _thumbnail(self, number: int) -> Path:
        return self.folder / _THUMBNAILS / f"{number}.png"

    def _open_journal(self) -> None:
        path = self.folder / JOURNAL
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from None
        self._length = data.rfind(b"\n") + 1
        lines = data[: self._length].splitlines()
        self._replay(path, lines)
        self._check_codes()
        if len(lines) > _MANY_LINES:
            self._rewrite()

    def _check_codes(self) -> None:
        try:
            if len(self._shelf):
                self._codes(self._shelf.columns().rows)
        except (DataError, ValueError) as error:
            raise DamagedStoreError(f"{self.folder / JOURNAL}: {error}") from None

    def _replay(self, path: Path, lines: Sequence[bytes]) -> None:
        number, replay = 0, Replay(self._shelf)
        try:
            for number, line in enumerate(lines, start=1):  # noqa: B007 - told below
                replay.line(line)
            replay.end()
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DamagedStoreError(
                f"{path}: line {number} is damaged; move {self.folder.name} out of "
                f"{self.folder.parent} and make the collection again"
            ) from None
        self._next = replay.next

    def _append(self, change: dict[str, Any]) -> None:
        """Write one line behind those that count; a part of one does not."""
        path, line = self.folder / JOURNAL, line_of(change)
        try:
            with path.open("r+b", buffering=0) as file:
                file.truncate(self._length)
                file.seek(self._length)
                _write_all(file.fileno(), line)
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.truncate(path, self._length)
            raise StoreError(
                f"cannot write {path}: {error.strerror or error}; the collection is as it was"
            ) from None
        self._length += len(line)

    def _rewrite(self) -> None:
        """Leave what was removed out of the journal; where that fails it stays as it is."""
        columns = self._shelf.columns()
        line = line_of({"next": self._next, **added(columns)})
        with suppress(StoreError):
            write_atomically(self.folder / JOURNAL, line)
            self._length, self._shelf = len(line), Shelf()
            self._shelf.add(columns)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write, also where the system takes a part at a time; a disk that fills up takes a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _bytes_of(codes: Codes | Embeddings) -> NDArray[np.uint8]:
    """Rows as bytes, uint8 (N, bytes)."""
    rows = codes.packed if isinstance(codes, Codes) else codes.values
    return np.ascontiguousarray(rows).view(np.uint8)


def _read_about(folder: Path) -> About:
    try:
        return About(**json.loads((folder / ABOUT).read_bytes()))
    except OSError as error:
        raise StoreError(f"cannot read {folder / ABOUT}: {error.strerror or error}") from None
    except (ValueError, TypeError, RecursionError):
        raise DamagedStoreError(
            f"{folder / ABOUT} is damaged; move {folder.name} out of {folder.parent}"
        ) from None
