"""faiss IndexBinaryMultiHash: hash tables over disjoint parts of a code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.search.faiss_binary import CITATION, PAPER, FaissBinary

_MOST_BITS = 32  # of a table's key: longer ones find next to nothing
_REVERSED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little"
)[:, 0]


class FaissMultiHash(FaissBinary):
    """Approximate search by faiss: ``nhash`` tables, each keyed by ``b`` other bits of the code.

    A query visits, in every table, the bucket of its own key and those whose key differs in at most
    ``nflip`` bits. A code that differs in at most nhash * (nflip + 1) - 1 bits in all has such a
    key in at least one table (pigeonhole), so all codes within that distance are found; of those
    farther away only some, and perhaps fewer than k. The time grows with the codes in the buckets.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            nhash: Tables; None takes as many as the code has whole keys.
            b: Bits of a table's key; None takes log2 of the database's size, rounded.
            nflip: Bits of the key that may differ.
        """

        nhash: int | None = Field(default=None, ge=1, description="tables; null: bits / b")
        b: int | None = Field(
            default=None, ge=1, le=_MOST_BITS, description="bits of a key; null: log2(database)"
        )
        nflip: int = Field(default=1, ge=0, le=4, description="bits of a key that may differ")

    name = "faiss_multihash"
    info = ComponentInfo(
        title="faiss IndexBinaryMultiHash",
        version=1,
        paper=f"Norouzi, Punjani, Fleet, CVPR 2012; {PAPER}",
        citation=CITATION,
    )
    params: Params

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, items: int) -> list[str]:
        """Refuse tables that need more bits than a code has, and more flips than a key has bits."""
        assert isinstance(params, cls.Params)  # noqa: S101 - the caller resolved them
        nhash, b = _tables(params, bits=bits, items=items)
        found = []
        if nhash * b > bits:
            found.append(
                f"{cls.name}: nhash {nhash} times b {b} is more than the {bits} bits of a code; "
                f"make one of them smaller, or leave it out"
            )
        if params.nflip > b:
            found.append(
                f"{cls.name}: nflip {params.nflip} is more than the {b} bits of a key; make it "
                f"smaller, or b larger"
            )
        return found

    @property
    def facts(self) -> Mapping[str, Any]:
        """The number of tables, and of bits of a key."""
        if self._index is None:
            return {}
        return {"nhash": int(self._index.nhash), "b": int(self._index.b)}

    def layout(self, codes: Codes) -> NDArray[np.uint8]:
        """Reverse the bits of each byte: faiss makes keys from the lowest bit upwards.

        So keys are made of a code's bits in order and never of the padding.
        """
        return np.ascontiguousarray(_REVERSED[codes.packed])

    def make(self, faiss: Any, packed: NDArray[np.uint8], *, bits: int) -> Any:
        """Fill the tables."""
        nhash, b = _tables(self.params, bits=bits, items=len(packed))
        index = faiss.IndexBinaryMultiHash(packed.shape[1] * 8, nhash, b)
        index.nflip = self.params.nflip
        index.add(packed)
        return index


def _tables(params: FaissMultiHash.Params, *, bits: int, items: int) -> tuple[int, int]:
    """Choose the number of tables and of bits of a key."""
    usual = max(1, params.nflip, min(bits, _MOST_BITS, round(math.log2(items))))
    if params.b is None and params.nhash is not None:
        usual = max(1, min(usual, bits // params.nhash))
    b = params.b or usual
    return params.nhash or max(1, bits // b), b
