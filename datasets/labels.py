"""Label rows: made of class numbers, reduced to some classes or to the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError, did_you_mean
from hashbench.datasets.interface import ImageData


def one_hot(numbers: NDArray[np.integer], classes: int) -> NDArray[np.uint8]:
    """Convert class numbers to label rows.

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
    """Return the first class of each image, in column order.

    Args:
        labels: uint8 (N, classes), multi-hot.

    Returns:
        int64 (N,): the column of the first 1; ``classes`` for an image without a label, so that
        such images form a group of their own.
    """
    columns: NDArray[np.int64] = labels.argmax(axis=1).astype(np.int64)
    columns[~labels.any(axis=1)] = labels.shape[1]
    return columns


def keep_columns(data: ImageData, names: Sequence[str]) -> ImageData:
    """Keep some of the classes; images that have none of them stay, with an empty row.

    Args:
        data: The dataset.
        names: Classes to keep, in the order of the new columns; none keeps all.

    Raises:
        DataError: If the dataset has no class of that name.
    """
    if not names:
        return data
    places = {name: place for place, name in enumerate(data.classes)}
    for name in names:
        if name not in places:
            raise DataError(
                f"the protocol keeps the label '{name}', which the dataset does not have. "
                f"{did_you_mean(name, data.classes)}"
            )
    labels = np.ascontiguousarray(data.labels[:, [places[name] for name in names]])
    return replace(data, labels=labels, classes=tuple(names))
