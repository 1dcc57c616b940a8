"""Milvus: a distributed vector database, for databases larger than one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from pydantic import Field

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.search.engine import IndexEngine, Neighbours, check_build, check_query, in_order
from hashbench.search.milvus_client import Collection, lite_problem

MOST_NEIGHBOURS = 16_384
"""The most neighbours that a Milvus server returns for one query."""

_INSTALL = "pip install 'hashbench[milvus]'"
_ID_BYTES = 8


class Milvus(IndexEngine):
    """Search by Milvus over binary vectors, by Hamming distance.

    Codes are padded with zeros to whole bytes. Without ``uri`` the embedded Milvus Lite scans them
    linearly, in a process of its own and a temporary folder. With ``uri`` a server searches them,
    in a collection that is dropped afterwards; the environment variable HASHBENCH_MILVUS_TOKEN
    holds its token. Which of the codes at the distance of the last place are found is up to Milvus;
    the result is sorted by distance, then by id.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            uri: The server, such as ``http://milvus:19530``; empty for Milvus Lite.
            index: ``BIN_FLAT`` looks at every code, ``BIN_IVF_FLAT`` at those of some lists.
            nlist: Lists of ``BIN_IVF_FLAT``.
            nprobe: Lists that a query visits.
        """

        uri: str = Field(
            default="", pattern=r"^((https?|tcp)://\S+)?$", description="server; '' for Lite"
        )
        index: Literal["BIN_FLAT", "BIN_IVF_FLAT"] = Field(
            default="BIN_FLAT", description="type of the index"
        )
        nlist: int = Field(default=128, ge=1, le=65_536, description="lists")
        nprobe: int = Field(default=8, ge=1, le=65_536, description="lists visited")

    info = ComponentInfo(
        title="Milvus",
        version=1,
        paper="Wang et al., Milvus: A purpose-built vector data management system, SIGMOD 2021",
    )
    params: Params

    _collection: Collection | None = None
    _bits = 0
    _items = 0
    _facts: Mapping[str, Any] = {}
    _cpus: frozenset[int] | None = None

    @classmethod
    def available(cls) -> str | None:
        """Return None if the client is installed, else the remedy."""
        if find_spec("pymilvus") is None:
            return f"engine 'milvus' needs pymilvus: {_INSTALL}"
        return None

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, items: int) -> list[str]:
        """Refuse what the embedded Milvus Lite cannot do."""
        del bits, items
        assert isinstance(params, cls.Params)  # noqa: S101 - the caller resolved them
        if params.uri:
            return []
        if params.index != "BIN_FLAT":
            return [
                f"engine 'milvus': Milvus Lite has BIN_FLAT only; give the uri of a server for "
                f"{params.index}"
            ]
        problem = lite_problem()
        if problem:
            return [f"engine 'milvus': Milvus Lite {problem}; {_INSTALL}, or give a server's uri"]
        return []

    @property
    def facts(self) -> Mapping[str, Any]:
        """Name and version of the server or of Milvus Lite."""
        return self._facts

    def build(self, database: Codes) -> None:
        """Make a collection and insert the codes."""
        check_build(self, database)
        self._drop()
        given = {"nlist": self.params.nlist} if self.params.index == "BIN_IVF_FLAT" else {}
        index = {"index_type": self.params.index, "params": given}
        with self._on_cpus():
            collection = Collection(self.params.uri, width=database.packed.shape[1], index=index)
        try:
            collection.fill(database.packed)
            served_by = collection.served_by(lite=not self.params.uri)
        except BaseException:
            collection.close()
            raise
        self._collection, self._facts = collection, {"served_by": served_by}
        self._bits, self._items = database.bits, len(database)

    def search(self, query: Codes, k: int) -> Neighbours:
        """Search in Milvus, many queries at once."""
        if self._collection is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._bits)
        wanted = min(k, self._items)
        if wanted > MOST_NEIGHBOURS:
            raise ConfigError(
                f"k: engine 'milvus' finds at most {MOST_NEIGHBOURS:,} neighbours, got {k:,}"
            )
        params = {"nprobe": self.params.nprobe} if self.params.index == "BIN_IVF_FLAT" else {}
        distances = np.zeros((len(query), wanted))
        ids = np.full((len(query), wanted), -1, dtype=np.int64)
        answers = self._collection.search(query.packed, wanted, params=params)
        for row, hits in enumerate(answers):
            for place, (at, far) in enumerate(hits):
                ids[row, place], distances[row, place] = at, far
        return in_order(distances, ids, bits=self._bits)

    @property
    def bytes(self) -> int:
        """Bytes of the codes and ids sent to Milvus; it does not report its own memory."""
        if self._collection is None:
            return 0
        return self._items * (-(-self._bits // 8) + _ID_BYTES)

    @contextmanager
    def pinned_threads(self, threads: int) -> Iterator[int]:
        """Start Milvus Lite on so many processors; a server's threads cannot be limited.

        Yields:
            The threads that may search; 1 for a server, because this process waits for it.
        """
        if self.params.uri:
            yield 1
            return
        self._cpus = frozenset(sorted(os.sched_getaffinity(0))[:threads])
        try:
            yield len(self._cpus)
        finally:
            self._cpus = None

    @contextmanager
    def _on_cpus(self) -> Iterator[None]:
        """Limit processes started inside this block to the pinned processors."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._cpus or before)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def _drop(self) -> None:
        if self._collection is not None:
            self._collection.close()
        self._collection, self._facts = None, {}
