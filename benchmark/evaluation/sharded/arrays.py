"""The arrays of a shard, packed codes and labels: how they are stored, read and checked.

Labels have two forms on disk, class numbers and packed multi-hot rows, and one in memory, multi-hot
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

NPY, SAFETENSORS = ".npy", ".safetensors"
CODES, LABELS = "codes", "labels"
"""The names of a shard's arrays, in file names and as tensors."""

_BITS_PER_BYTE = 8
_NO_LABEL = -1
_TABLE = 2  # dimensions


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """A .npy file, or a tensor of a .safetensors file; mapped anew whenever rows are read.

    A mapping that stayed open would keep every page ever read in the resident memory.

    Attributes:
        path: The file.
        tensor: Name of the tensor; without meaning for a .npy file.
    """

    path: Path
    tensor: str

    def header(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Read type and shape, and no row.

        Raises:
            DataError: If the file is missing or no such file.
        """
        with self._opened() as array:
            if self.path.suffix == NPY:
                return array.dtype, array.shape
            return array[:0].dtype, tuple(array.get_shape())

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Read the rows ``start`` to ``stop - 1`` into an array of their own.

        Raises:
            DataError: If the file is missing or no such file.
        """
        with self._opened() as array:
            return np.array(array[start:stop], order="C")

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Put the file's path before the message of a DataError that does not begin with it."""
        try:
            yield
        except DataError as error:
            text = str(error)
            if text.startswith(str(self.path)):
                raise
            raise DataError(f"{self.path}: {text}") from None

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from safetensors import SafetensorError, safe_open

        try:
            if self.path.suffix == NPY:
                yield np.load(self.path, mmap_mode="r", allow_pickle=False)
                return
            with safe_open(self.path, framework="numpy") as tensors:
                yield tensors.get_slice(self.tensor)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; the manifest names it") from None
        except (OSError, ValueError, EOFError, TypeError, SafetensorError) as error:
            why = " ".join(str(error).split())
            raise DataError(f"{self.path}: no array that can be read ({why:.120})") from None


def check_codes_form(
    dtype: np.dtype[Any], shape: tuple[int, ...], *, items: int, bits: int
) -> None:
    """Raise DataError unless packed codes are uint8 (items, ceil(bits / 8))."""
    wanted = (items, -(-bits // _BITS_PER_BYTE))
    if dtype != np.uint8 or shape != wanted:
        raise DataError(
            f"packed codes of {bits} bits are uint8 (N, {wanted[1]}), here of {items:,} codes, "
            f"got {dtype} {shape}"
        )


def check_labels_form(
    dtype: np.dtype[Any], shape: tuple[int, ...], *, items: int, classes: int
) -> None:
    """Raise DataError unless labels are class numbers or packed multi-hot rows, one a code."""
    width = -(-classes // _BITS_PER_BYTE)
    packed = dtype == np.uint8 and len(shape) == _TABLE and shape[1] == width
    numbers = len(shape) == 1 and np.issubdtype(dtype, np.integer)
    if not packed and not numbers:
        raise DataError(
            f"labels of {classes} classes are class numbers, integers (N,), or packed multi-hot "
            f"rows, uint8 (N, {width}), got {dtype} {shape}"
        )
    if shape[0] != items:
        raise DataError(f"{shape[0]:,} labels for {items:,} codes; one a code")


def check_labels(labels: NDArray[Any], classes: int) -> None:
    """Raise DataError if labels of the right form name a class that does not exist."""
    if labels.ndim == _TABLE:
        padding = labels.shape[1] * _BITS_PER_BYTE - classes
        if padding and bool(np.any(labels[:, -1] & ((1 << padding) - 1))):
            raise DataError(f"packed labels of {classes} classes have a set bit behind the last")
    elif len(labels) and not _NO_LABEL <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(
            f"class numbers of {classes} classes are 0 to {classes - 1}, and -1 for none; there "
            f"are {labels.min()} to {labels.max()}"
        )


def most_labels(labels: NDArray[Any], classes: int) -> int:
    """Count the labels of the item with the most; 0 where none has any.

    Raises:
        DataError: If a label is not one of the classes.
    """
    check_labels(labels, classes)
    if labels.ndim == _TABLE:
        return int(np.bitwise_count(labels).sum(axis=1, dtype=np.int64).max(initial=0))
    return int((labels >= 0).any())


def multi_hot(labels: NDArray[Any], classes: int) -> NDArray[np.uint8]:
    """Convert labels on disk to the form that an evaluation takes.

    Args:
        labels: Class numbers (N,) from 0, and -1 for none; or uint8 (N, ceil(classes / 8)) as
            ``np.packbits`` makes them.
        classes: Number of classes.

    Returns:
        uint8 (N, classes).

    Raises:
        DataError: If a label is not one of the classes.
    """
    check_labels(labels, classes)
    if labels.ndim == _TABLE:
        return np.unpackbits(labels, axis=1, count=classes)
    found = np.zeros((len(labels), classes), dtype=np.uint8)
    labelled = np.flatnonzero(labels >= 0)
    found[labelled, labels[labelled]] = 1
    return found


def compact(labels: NDArray[Any], classes: int) -> NDArray[Any]:
    """Convert labels to their form on disk: narrow class numbers, or packed multi-hot rows.

    Args:
        labels: Class numbers (N,), or uint8 (N, classes) of 0 and 1.
        classes: Number of classes.
    """
    if labels.ndim == _TABLE:
        return np.packbits(labels, axis=1)
    return labels.astype(np.min_scalar_type(-classes))
