"""How far queries are from a database: what scaled codes are compared with their originals by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.search.scan import PackedScan

QUERIES = 200


def distance_histogram(
    query: Codes, database: Codes, *, at_most: int = QUERIES
) -> NDArray[np.int64]:
    """Count the pairs of a query and a database code at each Hamming distance.

    Args:
        query: Codes of the queries.
        database: Codes of the database, of the same length.
        at_most: Queries looked at, the first ones.

    Returns:
        int64 (bits + 1,).
    """
    scan, counts = PackedScan(database), np.zeros(database.bits + 1, dtype=np.int64)
    for words in query.words()[:at_most]:
        counts += np.bincount(scan.distances(words), minlength=len(counts))
    return counts
