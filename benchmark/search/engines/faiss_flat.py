"""faiss IndexBinaryFlat: an exact scan in compiled code, by counting sort of the distances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.search.engine import IndexEngine, Neighbours, check_database, check_query


class FaissFlat(IndexEngine):
    """Exact search by faiss; codes are padded with zeros to the whole bytes that it wants.

    ``use_heap`` is off: faiss then counts distances, of which there are few, and keeps no heap.
    """

    info = ComponentInfo(
        title="faiss IndexBinaryFlat",
        version=1,
        paper="Douze et al., The Faiss library, 2024",
        citation="douze2024faiss",
    )

    _index: Any = None
    _bits = 0

    @classmethod
    def available(cls) -> str | None:
        """None if faiss is installed."""
        if find_spec("faiss") is None:
            return "engine 'faiss_flat' needs faiss: pip install 'hashbench[faiss]'"
        return None

    def build(self, database: Codes) -> None:
        """Copy the packed codes into an index."""
        check_database(database)
        missing = self.available()
        if missing:
            raise ConfigError(missing)
        faiss = _faiss()
        index = faiss.IndexBinaryFlat(database.packed.shape[1] * 8)
        index.use_heap = False
        index.add(np.ascontiguousarray(database.packed))
        self._index, self._bits = index, database.bits

    def search(self, query: Codes, k: int) -> Neighbours:
        """Scan the whole database, several queries at once."""
        if self._index is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._bits)
        wanted = min(k, self._index.ntotal)
        distances, ids = self._index.search(np.ascontiguousarray(query.packed), wanted)
        return Neighbours(distances.astype(np.int32, copy=False), ids.astype(np.int64, copy=False))

    @property
    def bytes(self) -> int:
        """Bytes of the codes as faiss keeps them, one for each begun 8 bits of a code."""
        return 0 if self._index is None else int(self._index.ntotal * self._index.code_size)

    @contextmanager
    def pinned_threads(self, threads: int) -> Iterator[int]:
        """Set faiss's OpenMP threads, for this process, until the block ends."""
        faiss = _faiss()
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            yield faiss.omp_get_max_threads()
        finally:
            faiss.omp_set_num_threads(before)


def _faiss() -> Any:
    """Import faiss untyped: its stubs differ from version to version, where it has any."""
    return import_module("faiss")
