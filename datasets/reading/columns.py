"""A dataset seen through some of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hashbench.core.errors import DataError, did_you_mean
from hashbench.datasets.interface import ImageData


def keep_columns(data: ImageData, names: Sequence[str]) -> ImageData:
    """Keep some labels of all images.

    Args:
        data: The dataset.
        names: Classes to keep, in the order of the new columns; none keeps all.

    Returns:
        The same images; an image that has none of the labels stays, with an empty row.

    Raises:
        DataError: If the dataset has no class of that name.
    """
    if not names:
        return data
    places = {name: place for place, name in enumerate(data.classes)}
    for name in names:
        if name not in places:
            raise DataError(
                f"the protocol keeps the label '{name}', which the dataset has not. "
                f"{did_you_mean(name, data.classes)}"
            )
    labels = np.ascontiguousarray(data.labels[:, [places[name] for name in names]])
    return replace(data, labels=labels, classes=tuple(names))
