"""faiss IndexBinaryFlat: an exact scan in compiled code, with a counting sort of the distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.search.engine import Neighbours, check_query
from hashbench.search.faiss_binary import CITATION, PAPER, FaissBinary


class FaissFlat(FaissBinary):
    """Exact search by faiss; codes are padded with zeros to whole bytes.

    ``use_heap`` is off: faiss then counts distances, of which there are few, and keeps no heap.
    """

    name = "faiss_flat"
    info = ComponentInfo(title="faiss IndexBinaryFlat", version=1, paper=PAPER, citation=CITATION)

    def make(self, faiss: Any, packed: NDArray[np.uint8], *, bits: int) -> Any:
        """Copy the codes into an index."""
        del bits
        index = faiss.IndexBinaryFlat(packed.shape[1] * 8)
        index.use_heap = False
        index.add(packed)
        return index

    def search(self, query: Codes, k: int) -> Neighbours:
        """Scan the whole database, several queries at once; faiss returns neighbours in order."""
        if self._index is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._bits)
        distances, ids = self._index.search(self.layout(query), min(k, self._index.ntotal))
        return Neighbours(distances.astype(np.int32, copy=False), ids.astype(np.int64, copy=False))

    @property
    def bytes(self) -> int:
        """Bytes of the codes in faiss: code length in whole bytes, times the codes."""
        return 0 if self._index is None else int(self._index.ntotal * self._index.code_size)
