"""The two forms that labels have on disk, and the one that an evaluation takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

_PER_BYTE = 8
_NONE = -1
_TABLE = 2  # dimensions


def check_form(dtype: np.dtype[Any], shape: tuple[int, ...], *, items: int, classes: int) -> None:
    """Check what labels look like.

    Args:
        dtype: Their type.
        shape: Their shape.
        items: Codes that they belong to.
        classes: How many labels there are.

    Raises:
        DataError: If they are neither class numbers nor packed rows, or not one a code.
    """
    packed = dtype == np.uint8 and len(shape) == _TABLE and shape[1] == -(-classes // _PER_BYTE)
    numbers = len(shape) == 1 and np.issubdtype(dtype, np.integer)
    if not packed and not numbers:
        raise DataError(
            f"labels of {classes} classes are class numbers, integers (N,), or packed multi-hot "
            f"rows, uint8 (N, {-(-classes // _PER_BYTE)}), got {dtype} {shape}"
        )
    if shape[0] != items:
        raise DataError(f"{shape[0]:,} labels for {items:,} codes; one a code")


def check_values(labels: NDArray[Any], classes: int) -> None:
    """Check labels of the right form.

    Args:
        labels: As `multi_hot` takes them.
        classes: How many labels there are.

    Raises:
        DataError: If a label is above ``classes``.
    """
    if labels.ndim == _TABLE:
        padding = labels.shape[1] * _PER_BYTE - classes
        if padding and bool(np.any(labels[:, -1] & ((1 << padding) - 1))):
            raise DataError(f"packed labels of {classes} classes have a set bit behind the last")
    elif len(labels) and not _NONE <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(
            f"class numbers of {classes} classes are 0 to {classes - 1}, and -1 for none; there "
            f"are {labels.min()} to {labels.max()}"
        )


def most_labels(labels: NDArray[Any]) -> int:
    """The most labels that one item has, 0 where none has any.

    Args:
        labels: As `multi_hot` takes them, and checked.
    """
    if labels.ndim == _TABLE:
        return int(np.bitwise_count(labels).sum(axis=1, dtype=np.int64).max(initial=0))
    return int((labels >= 0).any())


def multi_hot(labels: NDArray[Any], classes: int) -> NDArray[np.uint8]:
    """Labels as an evaluation takes them.

    Args:
        labels: Class numbers (N,) from 0, and -1 for none; or uint8 (N, ceil(classes / 8)) as
            ``np.packbits`` makes them.
        classes: How many labels there are.

    Returns:
        uint8 (N, classes).

    Raises:
        DataError: If a label is above ``classes``.
    """
    check_values(labels, classes)
    if labels.ndim == _TABLE:
        return np.unpackbits(labels, axis=1, count=classes)
    found = np.zeros((len(labels), classes), dtype=np.uint8)
    labelled = np.flatnonzero(labels >= 0)
    found[labelled, labels[labelled]] = 1
    return found


def compact(labels: NDArray[Any], classes: int) -> NDArray[Any]:
    """Labels as they are written: class numbers in the narrowest type, multi-hot rows packed.

    Args:
        labels: Class numbers (N,), or uint8 (N, classes) of 0 and 1.
        classes: How many labels there are.
    """
    if labels.ndim == _TABLE:
        return np.packbits(labels, axis=1)
    return labels.astype(np.min_scalar_type(-classes))
