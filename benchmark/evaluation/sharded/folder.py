"""A folder of shards: the codes of a database and their labels, read a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.canonical import digest_file
from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.sharded.arrays import (
    CODES,
    LABELS,
    ArrayFile,
    check_codes_form,
    check_labels_form,
    most_labels,
    multi_hot,
)
from hashbench.evaluation.sharded.manifest import FileEntry, Manifest, ShardEntry

Taken = TypeVar("Taken")

_BITS_PER_BYTE = 8
_BLOCK_BYTES = 1 << 26
_MOST_IN_A_BLOCK = 1 << 19
_COPIES = 4  # of codes and labels, as read and as laid out for counting


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a shard.

    Attributes:
        shard: Position of the shard in the manifest.
        start: The first row.
        stop: The row after the last.
        first: Position of the first row in the whole database.
    """

    shard: int
    start: int
    stop: int
    first: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """A database on disk; `ShardWriter` makes one, and `adopt` makes one of existing files.

    Example:
        >>> import tempfile
        >>> from hashbench.evaluation.sharded.writer import ShardWriter
        >>> folder = Path(tempfile.mkdtemp()) / "codes"
        >>> with ShardWriter(folder, bits=12, items_per_shard=2) as writer:
        ...     writer.add(Codes.from_outputs(np.eye(3, 12) - 0.5))
        >>> len(ShardFolder.open(folder)), len(ShardFolder.open(folder).manifest.shards)
        (3, 2)

    Attributes:
        root: The folder.
        manifest: What is in it.
    """

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, root: Path) -> ShardFolder:
        """Open a folder and check that its files look as the manifest says; no row is read.

        Raises:
            DataError: If a file is missing, damaged or of another size than it should be.
        """
        found = cls(root, Manifest.read(root))
        for shard in found.manifest.shards:
            found._check(shard)
        return found

    @property
    def bits(self) -> int:
        """Code length."""
        return self.manifest.bits

    @property
    def classes(self) -> int | None:
        """Number of classes; None without labels."""
        return self.manifest.classes

    def __len__(self) -> int:
        return sum(shard.items for shard in self.manifest.shards)

    @property
    def rows_at_once(self) -> int:
        """Rows of a block that takes some ten megabytes, laid out for counting."""
        row = _COPIES * (self.bits // _BITS_PER_BYTE + (self.classes or 0) + 1)
        return max(1, min(_MOST_IN_A_BLOCK, _BLOCK_BYTES // row))

    def files(self) -> list[FileEntry]:
        """The files that the manifest names, each once."""
        entries = (e for shard in self.manifest.shards for e in (shard.codes, shard.labels) if e)
        return list({entry.file: entry for entry in entries}.values())

    def blocks(self, items: int | None = None) -> Iterator[Block]:
        """Yield blocks that cover all rows, in order.

        Args:
            items: Rows of a block; None for `rows_at_once`.
        """
        size = items or self.rows_at_once
        first = 0
        for number, shard in enumerate(self.manifest.shards):
            for start in range(0, shard.items, size):
                stop = min(start + size, shard.items)
                yield Block(number, start, stop, first + start)
            first += shard.items

    def codes(self, block: Block) -> Codes:
        """Read the codes of a block.

        Raises:
            DataError: If they cannot be read or are no codes.
        """
        file = self._file(self.manifest.shards[block.shard].codes, CODES)
        with file.errors_named():
            return Codes(file.rows(block.start, block.stop), self.bits)

    def labels(self, block: Block) -> NDArray[np.uint8]:
        """Read the labels of a block, uint8 (n, classes), multi-hot.

        Raises:
            DataError: If there are none, or they cannot be read or are not right.
        """
        return self._labels(block, multi_hot)

    def most_labels(self) -> int:
        """Count the labels of the item with the most; reads and checks all labels.

        Raises:
            DataError: If there are none, or they cannot be read or are not right.
        """
        return max(self._labels(block, most_labels) for block in self.blocks())

    def changed_files(self, *, progress: Callable[[int, int], None] | None = None) -> list[str]:
        """Read every file once and compare its checksum with the manifest's.

        Args:
            progress: Called with files read and in all.

        Returns:
            One line for each file that is not what the manifest says.
        """
        files, problems = self.files(), []
        for done, entry in enumerate(files, 1):
            path = self.root / entry.file
            try:
                found = digest_file(path)
            except OSError as error:
                problems.append(f"{path}: cannot be read: {error.strerror}")
            else:
                if found != entry.sha256:
                    problems.append(
                        f"{path}: has SHA-256 {found[:12]}…, the manifest says "
                        f"{entry.sha256[:12]}…; copy the file again, or adopt the files anew"
                    )
            if progress:
                progress(done, len(files))
        return problems

    def _labels(self, block: Block, taken: Callable[[NDArray[Any], int], Taken]) -> Taken:
        entry = self.manifest.shards[block.shard].labels
        if entry is None or self.classes is None:
            raise DataError(f"{self.root}: has no labels, and an evaluation needs them")
        file = self._file(entry, LABELS)
        with file.errors_named():
            return taken(file.rows(block.start, block.stop), self.classes)

    def _file(self, entry: FileEntry, tensor: str) -> ArrayFile:
        return ArrayFile(self.root / entry.file, tensor)

    def _check(self, shard: ShardEntry) -> None:
        if (shard.labels is None) != (self.classes is None):
            raise DataError(
                f"{self.root}: {shard.codes.file} has {'no ' if self.classes else ''}labels, and "
                f"the manifest says {self.classes or 'no'} classes; adopt the files anew"
            )
        self._check_size(shard.codes)
        codes = self._file(shard.codes, CODES)
        with codes.errors_named():
            check_codes_form(*codes.header(), items=shard.items, bits=self.bits)
        if shard.labels and self.classes:
            self._check_size(shard.labels)
            labels = self._file(shard.labels, LABELS)
            with labels.errors_named():
                check_labels_form(*labels.header(), items=shard.items, classes=self.classes)

    def _check_size(self, entry: FileEntry) -> None:
        path = self.root / entry.file
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read: {error.strerror}; the manifest names it"
            ) from None
        if size != entry.bytes:
            raise DataError(
                f"{path}: has {size:,} bytes, the manifest says {entry.bytes:,}; copy the file "
                f"again, or adopt the files anew"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """The codes and labels of queries, which do fit in memory.

    Attributes:
        codes: Codes of the queries.
        labels: uint8 (Q, classes), multi-hot; None where the folder has no labels.
    """

    codes: Codes
    labels: NDArray[np.uint8] | None = None


def read_queries(root: Path) -> Queries:
    """Read all codes and labels of a folder of shards.

    Raises:
        DataError: If it is not a folder of shards, or a file cannot be read.
    """
    folder = ShardFolder.open(root)
    blocks = list(folder.blocks())
    codes = Codes(np.concatenate([folder.codes(each).packed for each in blocks]), folder.bits)
    if folder.classes is None:
        return Queries(codes)
    return Queries(codes, np.concatenate([folder.labels(each) for each in blocks]))
