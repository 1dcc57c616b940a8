"""How codes and labels lie in memory for the compiled loops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.label_index import LabelIndex

Words = NDArray[np.uint64]

SHORT = 16
"""Binary digits that hold any distance."""

BLOCK = 2048
"""Items looked at together; keys, codes and flags of so many stay in the first-level cache."""


class Sides(NamedTuple):
    """The codes and labels of queries and database.

    A named tuple because compiled code takes one.

    Attributes:
        words: Codes of the database, one row a 64-bit word, (words, N); N a multiple of 128.
        items: Database size; codes behind it are 0 and have no label.
        label_index: Labels of the database.
        queries: Codes of the queries, (Q, words).
        label_starts: The labels of query i are ``labels[label_starts[i]:label_starts[i + 1]]``.
        labels: Classes, int64.
    """

    words: Words
    items: int
    label_index: LabelIndex
    queries: Words
    label_starts: NDArray[np.int64]
    labels: NDArray[np.int64]
