"""The base class of the engines of faiss: padding to bytes, OpenMP threads, order of results."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.search.engine import IndexEngine, Neighbours, check_build, check_query, in_order

CITATION = "douze2024faiss"
PAPER = "Douze et al., The Faiss library, 2024"


class FaissBinary(IndexEngine):
    """A binary index of faiss; codes are padded with zeros to whole bytes.

    A subclass sets ``name``, its name in a matrix, and implements `make`.
    """

    name: ClassVar[str]

    _index: Any = None
    _bits = 0

    @classmethod
    def available(cls) -> str | None:
        """Return None if faiss is installed, else the remedy."""
        if find_spec("faiss") is None:
            return f"engine '{cls.name}' needs faiss: pip install 'hashbench[faiss]'"
        return None

    @abstractmethod
    def make(self, faiss: Any, packed: NDArray[np.uint8], *, bits: int) -> Any:
        """Make an index and add the codes to it.

        Args:
            faiss: The library.
            packed: uint8 (N, bytes), C-contiguous, as returned by `layout`.
            bits: Code length without the padding.
        """

    def layout(self, codes: Codes) -> NDArray[np.uint8]:
        """Convert codes to the form that the index expects, uint8 (N, bytes), C-contiguous."""
        return np.ascontiguousarray(codes.packed)

    def build(self, database: Codes) -> None:
        """Index the packed codes."""
        check_build(self, database)
        self._index = self.make(faiss_library(), self.layout(database), bits=database.bits)
        self._bits = database.bits

    def search(self, query: Codes, k: int) -> Neighbours:
        """Search the index, several queries at once."""
        if self._index is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._bits)
        wanted = min(k, self._index.ntotal)
        distances, ids = self._index.search(self.layout(query), wanted)
        return in_order(distances, ids, bits=self._bits)

    @property
    def bytes(self) -> int:
        """Bytes of the index as faiss would write it to a file; its hash tables take more."""
        return 0 if self._index is None else _written_bytes(self._index)

    @contextmanager
    def pinned_threads(self, threads: int) -> Iterator[int]:
        """Set faiss's OpenMP threads, for this process, until the block ends."""
        faiss = faiss_library()
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            yield faiss.omp_get_max_threads()
        finally:
            faiss.omp_set_num_threads(before)


def faiss_library() -> Any:
    """Import faiss without types: its stubs differ from version to version."""
    return import_module("faiss")


def _written_bytes(index: Any) -> int:
    """Count the bytes that faiss writes, without keeping them: a copy of the index may not fit."""
    written = 0

    def count(block: bytes) -> int:
        nonlocal written
        written += len(block)
        return len(block)

    faiss = faiss_library()
    faiss.write_index_binary(index, faiss.PyCallbackIOWriter(count))
    return written
