"""The handwritten digits that scikit-learn ships, read without importing it: that takes seconds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

CLASSES = 10
_SIDE = 8
_FILE = Path("datasets", "data", "digits.csv.gz")


def read_digits() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read all images.

    Returns:
        Images (1797, 8, 8) of values 0 to 16, and the class 0 to 9 of each.

    Raises:
        DataError: If scikit-learn is not there, or no longer ships them.
    """
    spec = find_spec("sklearn")
    folders = (spec.submodule_search_locations if spec else None) or []
    files = [Path(folder) / _FILE for folder in folders]
    if not any(file.is_file() for file in files):
        raise DataError(f"digits: scikit-learn has no {_FILE}; install hashbench again")
    table = np.loadtxt(files[0], delimiter=",", dtype=np.int64)
    return table[:, :-1].reshape(-1, _SIDE, _SIDE), table[:, -1]
