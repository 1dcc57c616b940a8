"""The lines of a collection's journal: a CRC-32, a space, and one change as JSON.

``put`` adds images, column by column; ``remove`` takes some out; ``next`` says which number comes
next where the last images were taken out. ``add``, a row an image, was written before ``put``.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

import numpy as np

from hashbench.serve.shelf import NOWHERE, Columns, Shelf

_CRC_DIGITS: Final = 8


def added(columns: Columns) -> dict[str, Any]:
    """The change that adds images."""
    placed = bool(np.any(columns.places != NOWHERE))
    return {
        "put": {
            "ids": columns.ids.tolist(),
            "names": [columns.names[at] for at in columns.at],
            "codes": columns.rows.tobytes().hex(),
            "places": columns.places.tolist() if placed else None,
        }
    }


def line_of(change: dict[str, Any]) -> bytes:
    """A change as a line."""
    text = json.dumps(change, separators=(",", ":")).encode("ascii")
    return _checksum(text) + text + b"\n"


class Replay:
    """Applies the lines of a journal to a shelf; additions in a row are taken in at once.

    Args:
        shelf: An empty one.

    Attributes:
        next: The number of the next image, as far as the journal says it.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.next = 0
        self._shelf = shelf
        self._ids: list[int] = []
        self._names: list[str] = []
        self._places: list[int] = []
        self._codes: list[bytes] = []

    def line(self, line: bytes) -> None:
        """Apply a line.

        Raises:
            ValueError: If it is not what was written, or does not follow from those before.
            KeyError: Likewise.
            TypeError: Likewise.
        """
        change = _parsed(line)
        self.next = max(self.next, int(change.get("next", 0)))
        if change.get("remove"):
            self.end()
        for number in change.get("remove", ()):
            self._shelf.remove(number)
        if "put" in change:
            put = change["put"]
            places = put["places"] or [NOWHERE] * len(put["ids"])
            self._gather(put["ids"], put["names"], bytes.fromhex(put["codes"]), places=places)
        for number, name, code, place in change.get("add", ()):
            where = NOWHERE if place is None else place
            self._gather([number], [name], bytes.fromhex(code), places=[where])

    def end(self) -> None:
        """Take in what was gathered.

        Raises:
            ValueError: If codes are of several sizes, or numbers do not rise.
        """
        if not self._ids:
            return
        data = np.frombuffer(b"".join(self._codes), dtype=np.uint8)
        rows = data.reshape(len(self._ids), -1)
        ids = np.array(self._ids, dtype=np.int64)
        self._shelf.add(Columns.of(ids, rows, names=self._names, places=self._places))
        self.next = max(self.next, self._ids[-1] + 1)
        self._ids, self._names, self._places, self._codes = [], [], [], []

    def _gather(self, ids: list[int], names: list[str], codes: bytes, *, places: list[int]) -> None:
        if not len(ids) == len(names) == len(places) or len(codes) % max(1, len(ids)):
            raise ValueError("columns of several lengths")
        self._ids += ids
        self._names += names
        self._places += places
        self._codes.append(codes)


def _checksum(text: bytes) -> bytes:
    return f"{zlib.crc32(text):0{_CRC_DIGITS}x} ".encode("ascii")


def _parsed(line: bytes) -> dict[str, Any]:
    text = line[_CRC_DIGITS + 1 :]
    if line[: _CRC_DIGITS + 1] != _checksum(text):
        raise ValueError("its checksum is another")
    return dict(json.loads(text))
