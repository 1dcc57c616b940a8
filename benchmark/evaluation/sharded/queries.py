"""Queries, which do fit in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.evaluation.sharded.folder import ShardFolder


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Codes and labels of queries.

    Attributes:
        codes: Their codes.
        labels: uint8 (Q, classes), multi-hot; None where nobody knows.
    """

    codes: Codes
    labels: NDArray[np.uint8] | None = None

    def first(self, count: int) -> Queries:
        """The first ones."""
        codes = Codes(self.codes.packed[:count], self.codes.bits)
        return Queries(codes, None if self.labels is None else self.labels[:count])


def read_queries(root: Path) -> Queries:
    """Read a folder of shards as a whole.

    Raises:
        DataError: If it is none, or a file cannot be read.
    """
    folder = ShardFolder.open(root)
    blocks = list(folder.blocks())
    codes = Codes(np.concatenate([folder.codes(each).packed for each in blocks]), folder.bits)
    if folder.classes is None:
        return Queries(codes)
    return Queries(codes, np.concatenate([folder.labels(each) for each in blocks]))
