"""Exact linear scan of packed codes with numpy; see `hashbench.search.scan`."""

from __future__ import annotations

import numpy as np

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.search.engine import IndexEngine, Neighbours, check_database, check_query
from hashbench.search.scan import PackedScan, nearest


class ExactScan(IndexEngine):
    """Exact search at any code length, with numpy alone and on one thread."""

    info = ComponentInfo(title="Exact linear scan", version=1)

    _scan: PackedScan | None = None

    def build(self, database: Codes) -> None:
        """Arrange the codes word by word."""
        check_database(database)
        self._scan = PackedScan(database)

    def search(self, query: Codes, k: int) -> Neighbours:
        """Scan the whole database once a query."""
        if self._scan is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._scan.bits)
        shape = len(query), min(k, len(self._scan))
        found = Neighbours(np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int64))
        for row, words in enumerate(query.words()):
            distances = self._scan.distances(words)
            found.ids[row] = nearest(distances, k)
            found.distances[row] = distances[found.ids[row]]
        return found

    @property
    def bytes(self) -> int:
        """Bytes of the packed words: 8 for each 64 bits of a code, rounded up."""
        return 0 if self._scan is None else self._scan.bytes
