"""faiss IndexBinaryHNSW: a graph of near codes, searched by walking along its links."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.search.faiss_binary import CITATION, PAPER, FaissBinary


class FaissHNSW(FaissBinary):
    """Approximate search by faiss: a hierarchical navigable small-world graph.

    Built on one thread the graph is always the same; on several it depends on their timing. Equal
    codes are each other's nearest neighbours, so where there are many of them the walk may not
    leave them, and fewer than k codes are found or farther ones.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            M: Links a code has on each level, twice as many on the lowest.
            ef_construction: Candidates kept while building.
            ef_search: Candidates kept while searching; k where that is more.
        """

        M: int = Field(default=16, ge=2, le=512, description="links a code")
        ef_construction: int = Field(default=40, ge=1, description="candidates while building")
        ef_search: int = Field(default=64, ge=1, description="candidates while searching")

    name = "faiss_hnsw"
    info = ComponentInfo(
        title="faiss IndexBinaryHNSW",
        version=1,
        paper=f"Malkov, Yashunin, TPAMI 2020; {PAPER}",
        citation=CITATION,
    )
    params: Params

    def make(self, faiss: Any, packed: NDArray[np.uint8], *, bits: int) -> Any:
        """Link the codes one after another."""
        del bits
        index = faiss.IndexBinaryHNSW(packed.shape[1] * 8, self.params.M)
        index.hnsw.efConstruction = self.params.ef_construction
        index.hnsw.efSearch = self.params.ef_search
        index.add(packed)
        return index
