"""Codes in memory, and the engines that search them, each built once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.search.engine import IndexEngine
from hashbench.search.scan import PackedScan
from hashbench.worker.retrieval import nearest_of

EXACT = "exact"
COSINE = "cosine"
"""What the search of embeddings is called: all cosines, with no engine."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one query found.

    Attributes:
        distances: float64 (n,), nearest first; Hamming distances, or one minus the cosine.
        ids: int64 (n,), positions in the index.
        engine: Who searched.
        milliseconds: How long that took.
    """

    distances: NDArray[np.float64]
    ids: NDArray[np.int64]
    engine: str
    milliseconds: float


class Index:
    """A database that is searched again and again, by any engine, from several threads.

    Args:
        database: Codes or embeddings.
    """

    def __init__(self, database: Codes | Embeddings) -> None:
        self.database = database
        self._engines: dict[str, IndexEngine] = {}
        self._scan: PackedScan | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.database)

    def search(self, query: Codes | Embeddings, k: int, *, engine: str = EXACT) -> Found:
        """Find the k nearest of one query; building an engine does not count as its time.

        Args:
            query: One row.
            k: How many; all where k is above what there is.
            engine: A name in the registry; embeddings are searched exactly, whatever it says.

        Raises:
            ConfigError: If there is no such engine, or it cannot search such codes.
            DataError: If the query is of another kind or length.
        """
        if isinstance(self.database, Embeddings) or isinstance(query, Embeddings):
            started = time.perf_counter()
            distances, ids = nearest_of(query, self.database, k)
            return Found(distances[0], ids[0], COSINE, _since(started))
        # One search at a time: engines promise nothing about several, and times would mix.
        with self._lock:
            built = self._engine(engine, self.database)
            with built.pinned_threads(1):
                started = time.perf_counter()
                found = built.search(query, k)
                took = _since(started)
        there = found.ids[0] >= 0  # an approximate engine may find fewer than asked for
        distances = found.distances[0][there].astype(np.float64)
        return Found(distances, found.ids[0][there], engine, took)

    def counts(self, query: Codes | Embeddings) -> NDArray[np.int64] | None:
        """How many of the database lie at each Hamming distance.

        Args:
            query: One row.

        Returns:
            int64 (bits + 1,); None for embeddings.
        """
        if not isinstance(self.database, Codes) or not isinstance(query, Codes):
            return None
        if self._scan is None:
            self._scan = PackedScan(self.database)
        distances = self._scan.distances(query.words()[0])
        return np.bincount(distances, minlength=self.database.bits + 1)

    def _engine(self, name: str, database: Codes) -> IndexEngine:
        if name not in self._engines:
            cls = registry().load(Kind.ENGINE, name)
            missing = cls.available()
            if missing:
                raise ConfigError(missing)
            engine: IndexEngine = cls()
            engine.build(database)
            self._engines[name] = engine
        return self._engines[name]


def row_of(side: Codes | Embeddings, row: int) -> Codes | Embeddings:
    """One row of codes or embeddings, as a query."""
    if isinstance(side, Codes):
        return Codes(side.packed[row : row + 1], side.bits)
    return Embeddings(side.values[row : row + 1])


def written_bits(code: Codes | Embeddings, row: int = 0) -> str | None:
    """A code as a string of 0 and 1, first bit first; None for an embedding."""
    if isinstance(code, Embeddings):
        return None
    bits = np.unpackbits(code.packed[row], count=code.bits)
    return bytes(bits + ord("0")).decode("ascii")


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
