"""Writing a folder of shards from codes that come in parts."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.evaluation.sharded.arrays import (
    CODES,
    LABELS,
    check_labels,
    check_labels_form,
    compact,
)
from hashbench.evaluation.sharded.manifest import FileEntry, Manifest, ShardEntry

ITEMS_PER_SHARD = 1 << 26
"""Codes of a file: half a gigabyte at 64 bits."""


class ShardWriter:
    """Writes .npy files to a temporary folder, which is renamed when the ``with`` block ends.

    Args:
        root: The folder to make.
        bits: Code length.
        classes: Number of classes; None to write no labels.
        order_seed: Seed of the order in which items are added; see `Manifest`.
        items_per_shard: Codes of a file.

    Raises:
        StoreError: If ``root`` exists already, or it cannot be written.
    """

    def __init__(
        self,
        root: Path,
        *,
        bits: int,
        classes: int | None = None,
        order_seed: int | None = None,
        items_per_shard: int = ITEMS_PER_SHARD,
    ) -> None:
        if root.exists():
            raise StoreError(f"{root}: already exists; name a new folder, or remove it")
        self._root, self._bits, self._classes = root, bits, classes
        self._order_seed, self._size = order_seed, items_per_shard
        self._temporary = root.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{root.name}"
        self._made_parent = not root.parent.exists()
        self._shards: list[ShardEntry] = []
        self._open: dict[str, _GrowingArray] = {}
        self._files = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._temporary.mkdir(parents=True)
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise self._cannot_write(failure) from failure
        finally:
            self._files.close()
            shutil.rmtree(self._temporary, ignore_errors=True)  # absent after the renaming
            if self._made_parent and not self._root.exists():
                with suppress(OSError):  # not empty
                    self._root.parent.rmdir()

    def add(self, codes: Codes, labels: NDArray[Any] | None = None) -> None:
        """Append codes.

        Args:
            codes: Codes of the folder's code length.
            labels: One row a code: class numbers (N,), or uint8 (N, classes) of 0 and 1; the same
                form in every call. None where the folder has no labels.

        Raises:
            DataError: If codes or labels do not fit.
            StoreError: If the disk is full, or cannot be written.
        """
        arrays = {CODES: codes.packed}
        if codes.bits != self._bits:
            raise DataError(f"shards: codes of {codes.bits} bits in a folder of {self._bits} bits")
        if (labels is None) != (self._classes is None):
            raise DataError("shards: give both labels and a number of classes, or neither")
        if labels is not None and self._classes is not None:
            packed = arrays[LABELS] = compact(labels, self._classes)
            check_labels_form(packed.dtype, packed.shape, items=len(codes), classes=self._classes)
            check_labels(packed, self._classes)
        try:
            self._append(arrays)
        except OSError as error:
            raise self._cannot_write(error) from error

    def _append(self, arrays: dict[str, NDArray[Any]]) -> None:
        start, items = 0, len(arrays[CODES])
        while start < items:
            if not self._open:
                self._open = {name: self._new(name, array) for name, array in arrays.items()}
            stop = min(items, start + self._size - self._open[CODES].items)
            for name, array in arrays.items():
                self._open[name].append(array[start:stop])
            if self._open[CODES].items == self._size:
                self._close_shard()
            start = stop

    def _new(self, name: str, array: NDArray[Any]) -> _GrowingArray:
        path = self._temporary / f"{name}-{len(self._shards):05d}.npy"
        return _GrowingArray(self._files.enter_context(path.open("wb")), path, array)

    def _close_shard(self) -> None:
        if not self._open:
            return
        entries = {name: array.close() for name, array in self._open.items()}
        items = self._open[CODES].items
        self._shards.append(
            ShardEntry(items=items, codes=entries[CODES], labels=entries.get(LABELS))
        )
        self._open = {}

    def _finish(self) -> None:
        self._close_shard()
        if not self._shards:
            raise DataError(f"{self._root}: no codes were given; there is nothing to write")
        manifest = Manifest(
            bits=self._bits,
            classes=self._classes,
            order_seed=self._order_seed,
            shards=self._shards,
        )
        manifest.write(self._temporary)
        self._temporary.rename(self._root)

    def _cannot_write(self, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write {self._root}: {error.strerror or error}. Nothing of it is kept; make "
            f"room, or name another folder"
        )


class _GrowingArray:
    """A .npy file that rows are appended to."""

    def __init__(self, file: IO[bytes], path: Path, like: NDArray[Any]) -> None:
        self._file, self._path = file, path
        self._dtype, self._row = like.dtype, like.shape[1:]
        self.items = 0
        self._header()

    def append(self, rows: NDArray[Any]) -> None:
        if rows.dtype != self._dtype or rows.shape[1:] != self._row:
            raise DataError("shards: labels have another form than earlier ones")
        self._file.write(np.ascontiguousarray(rows).data)
        self.items += len(rows)

    def close(self) -> FileEntry:
        self._file.seek(0)
        self._header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileEntry.of(self._path)

    def _header(self) -> None:
        # numpy leaves room in a header for any number of rows, so that it can be written again.
        about = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False}
        npy.write_array_header_1_0(self._file, {**about, "shape": (self.items, *self._row)})
