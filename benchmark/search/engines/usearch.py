"""usearch: an HNSW graph of near codes, in a small library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from pydantic import Field

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.search.engine import IndexEngine, Neighbours, check_build, check_query, in_order


class USearch(IndexEngine):
    """Approximate search by usearch: an HNSW graph over packed bits.

    Codes are padded with zeros to whole bytes. Built on one thread the graph is always the same; on
    several it depends on their timing.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            connectivity: Links a code has, twice as many on the lowest level.
            expansion_add: Candidates kept while building.
            expansion_search: Candidates kept while searching; k where that is more.
        """

        connectivity: int = Field(default=16, ge=2, le=512, description="links a code")
        expansion_add: int = Field(default=128, ge=1, description="candidates while building")
        expansion_search: int = Field(default=64, ge=1, description="candidates while searching")

    info = ComponentInfo(
        title="usearch HNSW", version=1, paper="Vardanian, USearch by Unum Cloud, 2023"
    )
    params: Params

    _index: Any = None
    _bits = 0
    _threads = 1

    @classmethod
    def available(cls) -> str | None:
        """Return None if usearch is installed, else the remedy."""
        if find_spec("usearch") is None:
            return "engine 'usearch' needs usearch: pip install 'hashbench[usearch]'"
        return None

    def build(self, database: Codes) -> None:
        """Link the codes one after another."""
        check_build(self, database)
        library = import_module("usearch.index")
        index = library.Index(
            ndim=database.packed.shape[1] * 8,
            dtype=library.ScalarKind.B1,
            metric=library.MetricKind.Hamming,
            connectivity=self.params.connectivity,
            expansion_add=self.params.expansion_add,
            expansion_search=self.params.expansion_search,
        )
        packed = np.ascontiguousarray(database.packed)
        index.add(np.arange(len(packed), dtype=np.uint64), packed, threads=self._threads)
        self._index, self._bits = index, database.bits

    def search(self, query: Codes, k: int) -> Neighbours:
        """Walk through the graph, several queries at once."""
        if self._index is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._bits)
        wanted = min(k, len(self._index))
        packed = np.ascontiguousarray(query.packed)
        found = self._index.search(packed, wanted, threads=self._threads)
        counts = getattr(found, "counts", [len(found)])  # absent for a single query
        distances = np.zeros((len(query), wanted))
        ids = np.full((len(query), wanted), -1, dtype=np.int64)
        keys, far = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
        for row, count in enumerate(counts):
            ids[row, :count], distances[row, :count] = keys[row, :count], far[row, :count]
        return in_order(distances, ids, bits=self._bits)

    @property
    def bytes(self) -> int:
        """Bytes of the index as usearch would write it to a file."""
        return 0 if self._index is None else int(self._index.serialized_length)

    @contextmanager
    def pinned_threads(self, threads: int) -> Iterator[int]:
        """Give usearch so many threads until the block ends."""
        before, self._threads = self._threads, threads
        try:
            yield threads
        finally:
            self._threads = before
