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
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import numpy as np

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError, DataError, StoreError
from hashbench.core.files import write_atomically
from hashbench.serve.index import Index
from hashbench.serve.refusal import Refusal

ABOUT: Final = "collection.json"
JOURNAL: Final = "journal.txt"
_THUMBNAILS: Final = "thumbnails"
_CRC_DIGITS: Final = 8
_FEW: Final = 100  # removed images that do not yet make the journal be written anew


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


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a collection.

    Attributes:
        id: Its number, never given again.
        name: What whoever added it calls it.
        code: The bytes of its packed code or float32 embedding.
        database: Its place in the fit's database, if it was taken from there.
    """

    id: int
    name: str
    code: bytes
    database: int | None = None


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
        self._items: dict[int, Item] = {}
        self._next = 0
        self._length = 0  # bytes of the journal that count
        self._removed = 0  # images that the journal still has and the collection has not
        self._index: tuple[Index, tuple[Item, ...]] | None = None
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
        return len(self._items)

    def items(self) -> list[Item]:
        """What is in it, in the order of adding."""
        with self._lock:
            return list(self._items.values())

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
        rows = codes.packed if isinstance(codes, Codes) else codes.values
        with self._lock:
            added = [
                Item(self._next + row, name, rows[row].tobytes(), row if database else None)
                for row, name in enumerate(names)
            ]
            if thumbnail is not None:
                write_atomically(self._thumbnail(added[0].id), thumbnail)
            self._append({"add": _plain(added)})
            self._take(added)
        return [item.id for item in added]

    def remove(self, number: int) -> None:
        """Take an image out.

        Raises:
            Refusal: 404 if it is not there.
            StoreError: If that cannot be written.
        """
        with self._lock:
            self._there(number)
            self._append({"remove": [number]})
            del self._items[number]
            self._index, self._removed = None, self._removed + 1
            with suppress(OSError):
                self._thumbnail(number).unlink()
            if self._removed > max(len(self._items), _FEW):
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

    def index(self) -> tuple[Index, tuple[Item, ...]]:
        """What is searched, and the image of each position; built when something has changed.

        Raises:
            Refusal: 409 if the collection is empty.
        """
        with self._lock:
            if not self._items:
                raise Refusal(
                    HTTPStatus.CONFLICT, f"collection '{self.about.name}' is empty; add images"
                )
            if self._index is None:
                items = tuple(self._items.values())
                self._index = Index(self._joined(items)), items
            return self._index

    def _joined(self, items: Sequence[Item]) -> Codes | Embeddings:
        data = b"".join(item.code for item in items)
        if self.about.bits is None:
            return Embeddings(np.frombuffer(data, dtype=np.float32).reshape(len(items), -1))
        rows = np.frombuffer(data, dtype=np.uint8).reshape(len(items), -1)
        return Codes(rows, self.about.bits)

    def _there(self, number: int) -> Item:
        if number not in self._items:
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"collection '{self.about.name}' has no image {number}"
            )
        return self._items[number]

    def _thumbnail(self, number: int) -> Path:
        return self.folder / _THUMBNAILS / f"{number}.png"

    def _take(self, added: Sequence[Item]) -> None:
        self._items |= {item.id: item for item in added}
        self._next = max([self._next, *(item.id + 1 for item in added)])
        self._index = None

    def _open_journal(self) -> None:
        path = self.folder / JOURNAL
        try:
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from None
        self._length = whole
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                self._replay(_parsed(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise DamagedStoreError(
                    f"{path}: line {number} is damaged; move {self.folder.name} out of "
                    f"{self.folder.parent} and make the collection again"
                ) from None
        self._check_codes()

    def _check_codes(self) -> None:
        try:
            if self._items:
                self._joined(tuple(self._items.values()))
        except (DataError, ValueError) as error:
            raise DamagedStoreError(f"{self.folder / JOURNAL}: {error}") from None

    def _replay(self, change: dict[str, Any]) -> None:
        self._next = max(self._next, int(change.get("next", 0)))
        for number in change.get("remove", ()):
            del self._items[number]
            self._removed += 1
        self._take(
            [
                Item(int(number), str(name), bytes.fromhex(code), place)
                for number, name, code, place in change.get("add", ())
            ]
        )

    def _append(self, change: dict[str, Any]) -> None:
        """Write one line behind those that count; a part of one does not."""
        path, line = self.folder / JOURNAL, _line(change)
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
        line = _line({"next": self._next, "add": _plain(self._items.values())})
        with suppress(StoreError):
            write_atomically(self.folder / JOURNAL, line)
            self._length, self._removed = len(line), 0


def _plain(items: Iterable[Item]) -> list[list[Any]]:
    return [[item.id, item.name, item.code.hex(), item.database] for item in items]


def _line(change: dict[str, Any]) -> bytes:
    text = json.dumps(change, separators=(",", ":")).encode("ascii")
    return _checksum(text) + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return f"{zlib.crc32(text):0{_CRC_DIGITS}x} ".encode("ascii")


def _write_all(descriptor: int, data: bytes) -> None:
    """Write, also where the system takes a part at a time; a disk that fills up takes a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _parsed(line: bytes) -> dict[str, Any]:
    text = line[_CRC_DIGITS + 1 :]
    if line[: _CRC_DIGITS + 1] != _checksum(text):
        raise ValueError("its checksum is another")
    return dict(json.loads(text))


def _read_about(folder: Path) -> About:
    try:
        return About(**json.loads((folder / ABOUT).read_bytes()))
    except OSError as error:
        raise StoreError(f"cannot read {folder / ABOUT}: {error.strerror or error}") from None
    except (ValueError, TypeError, RecursionError):
        raise DamagedStoreError(
            f"{folder / ABOUT} is damaged; move {folder.name} out of {folder.parent}"
        ) from None
