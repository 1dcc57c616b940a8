"""Images of a collection column by column: a million of them in a few arrays, not in objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

NOWHERE: Final = -1
"""The place of an image that was not taken from a database."""
_FIRST_ROOM: Final = 64


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


@dataclass(frozen=True, slots=True, eq=False)
class Columns(Sequence[Item]):
    """Images in the order of adding; what is added or removed later does not change them.

    Attributes:
        ids: int64 (N,), rising.
        rows: uint8 (N, bytes of a code).
        places: int64 (N,), places in the fit's database; -1 for none.
        names: At least one a position in ``at``.
        at: int64 (N,), which of ``names`` is whose.
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.uint8]
    places: NDArray[np.int64]
    names: Sequence[str]
    at: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        ids: NDArray[np.int64],
        rows: NDArray[np.uint8],
        *,
        names: Sequence[str],
        places: Sequence[int] | None,
    ) -> Columns:
        """Columns from what was given or read.

        Args:
            ids: int64 (N,).
            rows: uint8 (N, bytes).
            names: N names.
            places: N places in the database; None where none has one.

        Raises:
            ValueError: If they are not of one length, or the ids do not rise.
        """
        count = len(ids)
        if places is None:
            where = np.full(count, NOWHERE, dtype=np.int64)
        else:
            where = np.array(places, dtype=np.int64)
        if not len(rows) == len(names) == len(where) == count or np.any(np.diff(ids) <= 0):
            raise ValueError("columns of several lengths, or numbers that do not rise")
        return cls(ids, rows, where, names, np.arange(count))

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        place = int(self.places[index])
        return Item(
            int(self.ids[index]),
            self.names[self.at[index]],
            self.rows[index].tobytes(),
            None if place == NOWHERE else place,
        )

    def position(self, number: int) -> int | None:
        """Where an image stands; None if it is not there."""
        at = int(np.searchsorted(self.ids, number))
        return at if at < len(self.ids) and self.ids[at] == number else None


class Shelf:
    """Columns that grow, and images of them that count no longer.

    Columns given out share these arrays: rows are written once, and room is made in new arrays.
    """

    def __init__(self) -> None:
        self._ids = np.empty(0, dtype=np.int64)
        self._rows = np.empty((0, 0), dtype=np.uint8)
        self._places = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.bool_)
        self._names: list[str] = []
        self._removed = 0

    def __len__(self) -> int:
        return len(self._names) - self._removed

    @property
    def removed(self) -> int:
        """How many images were removed."""
        return self._removed

    def add(self, columns: Columns) -> None:
        """Take images in.

        Raises:
            ValueError: If their codes are of another size, or their numbers do not rise.
        """
        held, count = len(self._names), len(columns)
        if not count:
            return
        if held and (
            columns.rows.shape[1] != self._rows.shape[1] or columns.ids[0] <= self._ids[held - 1]
        ):
            raise ValueError("codes of another size, or numbers that do not rise")
        end = held + count
        if not held:
            self._rows = np.empty((0, columns.rows.shape[1]), dtype=np.uint8)
        self._ids = _with_room(self._ids, held, end)
        self._rows = _with_room(self._rows, held, end)
        self._places = _with_room(self._places, held, end)
        self._counts = _with_room(self._counts, held, end)
        self._ids[held:end], self._rows[held:end] = columns.ids, columns.rows
        self._places[held:end], self._counts[held:end] = columns.places, True
        self._names += [columns.names[at] for at in columns.at]

    def remove(self, number: int) -> None:
        """Let an image count no longer.

        Raises:
            KeyError: If it is not there.
        """
        at = self._position(number)
        if at is None:
            raise KeyError(number)
        self._counts[at] = False
        self._removed += 1

    def find(self, number: int) -> Item | None:
        """One image; None if it is not there."""
        at = self._position(number)
        if at is None:
            return None
        row = slice(at, at + 1)
        there = np.array([at])
        return Columns(self._ids[row], self._rows[row], self._places[row], self._names, there)[0]

    def columns(self) -> Columns:
        """All images that count."""
        end = len(self._names)
        at = np.flatnonzero(self._counts[:end])
        rows = at if self._removed else slice(end)  # a slice copies nothing
        return Columns(self._ids[rows], self._rows[rows], self._places[rows], self._names, at)

    def _position(self, number: int) -> int | None:
        at = int(np.searchsorted(self._ids[: len(self._names)], number))
        there = at < len(self._names) and self._ids[at] == number and bool(self._counts[at])
        return at if there else None


def _with_room(array: NDArray[Any], held: int, wanted: int) -> NDArray[Any]:
    """The array itself if it is long enough, else one of twice the length with its first rows."""
    if wanted <= len(array):
        return array
    longer = np.empty((max(wanted, 2 * len(array), _FIRST_ROOM), *array.shape[1:]), array.dtype)
    longer[:held] = array[:held]
    return longer
