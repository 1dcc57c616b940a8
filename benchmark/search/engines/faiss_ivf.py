"""faiss IndexBinaryIVF: codes in lists around centres; a query visits a few of the lists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.search.faiss_binary import CITATION, PAPER, FaissBinary

_SEED = 0
_TRAINED_ON = 256  # codes a list at most: faiss uses no more, but would turn all to floats first


class FaissIVF(FaissBinary):
    """Approximate search by faiss: k-means centres, a list of codes each.

    A query is compared with every centre and then with the codes in the lists of the ``nprobe``
    nearest. The centres are learned from at most 256 codes a list, drawn with a fixed seed. Where
    those lists hold fewer than k codes, fewer are found.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            nlist: Lists; None takes the square root of the database's size, rounded.
            nprobe: Lists that a query visits.
        """

        nlist: int | None = Field(default=None, ge=1, description="lists; null: sqrt(database)")
        nprobe: int = Field(default=8, ge=1, description="lists that a query visits")

    name = "faiss_ivf"
    info = ComponentInfo(title="faiss IndexBinaryIVF", version=1, paper=PAPER, citation=CITATION)
    params: Params

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, items: int) -> list[str]:
        """Refuse more lists than codes, and more visits than lists."""
        assert isinstance(params, cls.Params)  # noqa: S101 - the caller resolved them
        if params.nlist is None:
            return []
        found = []
        if params.nlist > items:
            found.append(
                f"{cls.name}: nlist {params.nlist} is more than the {items} codes of the "
                f"database; make it smaller, or leave it out"
            )
        if params.nprobe > params.nlist:
            found.append(
                f"{cls.name}: nprobe {params.nprobe} is more than nlist {params.nlist}; make it "
                f"smaller, or use the engine exact"
            )
        return found

    @property
    def facts(self) -> Mapping[str, Any]:
        """The number of lists, and how many of them a query visits."""
        if self._index is None:
            return {}
        return {"nlist": int(self._index.nlist), "nprobe": int(self._index.nprobe)}

    def make(self, faiss: Any, packed: NDArray[np.uint8], *, bits: int) -> Any:
        """Learn the centres and fill the lists."""
        del bits
        lists = self.params.nlist or max(1, round(math.sqrt(len(packed))))
        width = packed.shape[1] * 8
        index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(width), width, lists)
        index.cp.min_points_per_centroid = 1  # or faiss warns of small databases
        index.train(_sample(packed, lists * _TRAINED_ON))
        index.add(packed)
        index.nprobe = min(self.params.nprobe, lists)
        return index


def _sample(packed: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    if len(packed) <= most:
        return packed
    chosen = np.random.default_rng(_SEED).choice(len(packed), most, replace=False)
    return packed[np.sort(chosen)]
