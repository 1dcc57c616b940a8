"""Recall: the share of the exact answer that an engine finds, with ties accepted by distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.search.engine import Neighbours
from hashbench.search.engines.exact import ExactScan

RECALL_QUERIES = 200


class ExactAnswers:
    """The exact answers to the first queries; one scan, for the largest k, serves all smaller ones.

    Args:
        query: Codes of the queries.
        database: Codes searched.
        at_most: Number of queries answered, the first ones.
    """

    def __init__(self, query: Codes, database: Codes, *, at_most: int = RECALL_QUERIES) -> None:
        self.query = Codes(query.packed[:at_most], query.bits)
        self._database = database
        self._distances = np.empty((len(self.query), 0), dtype=np.int32)

    @classmethod
    def known(cls, query: Codes, database: Codes, distances: NDArray[np.int32]) -> ExactAnswers:
        """Restore answers from their distances.

        Args:
            query: Codes of the queries; the first ones are answered.
            database: Codes searched.
            distances: int32 (queries answered, k), a value of `distances`.
        """
        answers = cls(query, database, at_most=len(distances))
        answers._distances = distances
        return answers

    @property
    def distances(self) -> NDArray[np.int32]:
        """Distances of the nearest, for the largest k so far, int32 (queries answered, k)."""
        return self._distances

    def prepare(self, k: int) -> None:
        """Search for k neighbours now, so that no smaller k needs a scan later."""
        if min(k, len(self._database)) > self._distances.shape[1]:
            scan = ExactScan()
            scan.build(self._database)
            self._distances = scan.search(self.query, k).distances

    def recall(self, found: Neighbours, k: int) -> float:
        """Average the share of k places filled with codes as near as the exact k-th neighbour.

        The distances of the neighbours are computed here, not taken from the engine; a position
        that occurs twice counts once.

        Args:
            found: An engine's answers to ``query``.
            k: Neighbours a query; all N of the database where k is above N.
        """
        self.prepare(k)
        places = min(k, len(self._database))
        hits = [
            np.count_nonzero(self._true_distances(row, ids) <= self._distances[row, places - 1])
            for row, ids in enumerate(found.ids)
        ]
        return float(np.mean(hits)) / places

    def _true_distances(self, row: int, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        known = np.unique(ids[ids >= 0])
        differing = self._database.packed[known] ^ self.query.packed[row]
        distances: NDArray[np.int64] = np.bitwise_count(differing).sum(axis=1, dtype=np.int64)
        return distances
