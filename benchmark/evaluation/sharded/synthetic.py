"""Synthetic codes, to try out a database size: drawn around one centre for each class."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import StoreError
from hashbench.evaluation.sharded.writer import ITEMS_PER_SHARD, ShardWriter

DATABASE, QUERIES = "database", "queries"
"""Names of the folders of a database and of its queries."""

_BLOCK = 1 << 20
_WORD_BITS = 64
_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A synthetic database and its queries, defined by a seed.

    Each class has a random code as its centre, and every bit of an item differs from the centre of
    its class with probability 1/4: items of one class differ in 3/8 of the bits, others in half.

    Attributes:
        items: Number of codes of the database.
        bits: Code length.
        classes: Number of classes.
        queries: Number of queries.
        seed: Seed of all random numbers.
    """

    items: int
    bits: int = 64
    classes: int = 10
    queries: int = 100
    seed: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of the database on disk, without headers."""
        label = np.min_scalar_type(-self.classes).itemsize
        return self.items * (-(-self.bits // _BITS_PER_BYTE) + label)

    def parts(self, role: str) -> Iterator[tuple[Codes, NDArray[np.int64]]]:
        """Yield codes and class numbers of the ``database`` or the ``queries``, part by part."""
        words = -(-self.bits // _WORD_BITS)
        centres = self._draw(0).integers(0, 2**64, (self.classes, words), np.uint64)
        items = self.items if role == DATABASE else self.queries
        for number, start in enumerate(range(0, items, _BLOCK)):
            draw = self._draw(1 + (role == DATABASE), number)
            count = min(_BLOCK, items - start)
            labels = draw.integers(0, self.classes, count)
            flips = draw.integers(0, 2**64, (count, words), np.uint64)
            flips &= draw.integers(0, 2**64, (count, words), np.uint64)
            yield self._cut(centres[labels] ^ flips), labels

    def _draw(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])

    def _cut(self, words: NDArray[np.uint64]) -> Codes:
        width = -(-self.bits // _BITS_PER_BYTE)
        packed = np.ascontiguousarray(words.view(np.uint8)[:, :width])
        padding = width * _BITS_PER_BYTE - self.bits
        packed[:, -1] &= 256 - (1 << padding)
        return Codes(packed, self.bits)


def synthesise(
    made: Synthetic,
    root: Path,
    *,
    items_per_shard: int = ITEMS_PER_SHARD,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a database and queries as two folders of shards, a part in memory at a time.

    Args:
        made: The database to write.
        root: The folder for the folders ``database`` and ``queries``.
        items_per_shard: Codes of a file; the codes do not depend on it.
        progress: Called with codes written and codes in all.

    Raises:
        StoreError: If there is no room, a folder exists already, or it cannot be written.
    """
    _check_room(made.bytes, root)
    layout = {"bits": made.bits, "classes": made.classes, "items_per_shard": items_per_shard}
    with (
        ShardWriter(root / QUERIES, **layout) as queries,
        ShardWriter(root / DATABASE, **layout) as database,
    ):
        for codes, labels in made.parts(QUERIES):
            queries.add(codes, labels)
        written = 0
        for codes, labels in made.parts(DATABASE):
            database.add(codes, labels)
            written += len(codes)
            if progress:
                progress(written, made.items)


def _check_room(wanted: int, root: Path) -> None:
    place = next(folder for folder in root.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    if wanted > free:
        raise StoreError(
            f"{root}: {wanted / 2**30:.1f} GiB are to be written and {free / 2**30:.1f} are free; "
            f"make room, or write fewer codes"
        )
