"""Label rows: multi-hot from class numbers, and each image's first class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def one_hot(numbers: NDArray[np.integer], classes: int) -> NDArray[np.uint8]:
    """Turn class numbers into label rows.

    Args:
        numbers: Integer (N,), each in [0, classes).
        classes: Number of classes.

    Returns:
        uint8 (N, classes) with a single 1 a row.
    """
    rows = np.zeros((len(numbers), classes), dtype=np.uint8)
    rows[np.arange(len(numbers)), numbers] = 1
    return rows


def first_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The first class of each image, in column order.

    Args:
        labels: uint8 (N, classes), multi-hot.

    Returns:
        int64 (N,): the column of the first 1; ``classes`` for an image without a label, so that
        such images form a group of their own.
    """
    columns: NDArray[np.int64] = labels.argmax(axis=1).astype(np.int64)
    columns[~labels.any(axis=1)] = labels.shape[1]
    return columns
