"""Neighbours in the order that every engine promises: by distance, then by id."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.search.engine import Neighbours


def in_order(distances: NDArray[Any], ids: NDArray[Any], *, bits: int) -> Neighbours:
    """Sort each query's finds by distance, equal ones by id, with missing ones last.

    Args:
        distances: Hamming distances (Q, k), of any number type.
        ids: Positions in the database (Q, k), integers; negative where nothing was found.
        bits: Code length.

    Returns:
        The same finds; missing ones have the id -1 and the distance bits + 1.
    """
    missing = ids < 0
    far = np.where(missing, bits + 1, distances).astype(np.int32)
    known = np.where(missing, -1, ids).astype(np.int64)
    order = np.lexsort((known, far), axis=-1)
    return Neighbours(
        np.take_along_axis(far, order, axis=-1), np.take_along_axis(known, order, axis=-1)
    )
