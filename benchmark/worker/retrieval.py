"""Nearest neighbours in a database of codes or embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.search.engines.exact import ExactScan

_TINY = 1e-12  # keeps a zero embedding from dividing by zero


def nearest_of(
    query: Codes | Embeddings, database: Codes | Embeddings, k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the k nearest items of each query; equal distances come in the database's order.

    Args:
        query: Codes or embeddings of the queries.
        database: The same of the database.
        k: Neighbours a query; all N if the database has fewer than k items.

    Returns:
        Distances and positions, (Q, min(k, N)) each: Hamming distances between codes, one minus
        the cosine between embeddings.

    Raises:
        DataError: If one side is codes and the other embeddings, or their lengths differ.
        ConfigError: If k is below 1.
    """
    if isinstance(query, Codes) and isinstance(database, Codes):
        scan = ExactScan()
        scan.build(database)
        found = scan.search(query, k)
        return found.distances.astype(np.float64), found.ids
    if isinstance(query, Embeddings) and isinstance(database, Embeddings):
        far = 1 - _unit(query) @ _unit(database).T
        ids = np.argsort(far, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(far, ids, axis=1), ids
    raise DataError("search: codes cannot be compared with embeddings")


def _unit(embeddings: Embeddings) -> NDArray[np.float64]:
    values = embeddings.values.astype(np.float64)
    norms: NDArray[np.float64] = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.maximum(norms, _TINY)
