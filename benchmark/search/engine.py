"""What a search engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What a search found, nearest first, equal distances by id.

    Attributes:
        distances: Hamming distances, int32 (Q, min(k, N)).
        ids: Positions in the database, int64 (Q, min(k, N)).
    """

    distances: NDArray[np.int32]
    ids: NDArray[np.int64]


class IndexEngine(ABC):
    """An index over binary codes.

    A subclass sets ``info``, implements `build`, `search` and `bytes`, says in `available` how to
    install what it needs, and overrides `pinned_threads` if it can use more than one. Heavy
    libraries are imported inside these, so that a missing one hurts nobody who does not use it.

    Example:
        >>> from hashbench.search.engines.exact import ExactScan
        >>> engine = ExactScan()
        >>> database = Codes.from_outputs(np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]]))
        >>> engine.build(database)
        >>> engine.search(Codes(database.packed[:1], 2), 2).ids
        array([[0, 2]])

    Args:
        params: The typed parameters; None takes the defaults.

    Attributes:
        KIND: For plugin files.
        Params: The class of the parameters.
        info: The component's card.
    """

    KIND: ClassVar[Kind] = Kind.ENGINE
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]

    def __init__(self, params: BaseParams | None = None) -> None:
        self.params = self.Params() if params is None else params

    @classmethod
    def available(cls) -> str | None:
        """None if it can run here, else one line that says how to install what is missing."""
        return None

    @abstractmethod
    def build(self, database: Codes) -> None:
        """Index a database, forgetting any other.

        Raises:
            DataError: If the database is empty.
            ConfigError: If a library is missing.
        """

    @abstractmethod
    def search(self, query: Codes, k: int) -> Neighbours:
        """Find the k nearest of each query; all N where k is above N.

        Raises:
            DataError: If there is no query, or the code length is not the database's.
            ConfigError: If k is below 1.
            RuntimeError: If nothing has been built.
        """

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Bytes of the index; 0 before `build`."""

    @contextmanager
    def pinned_threads(self, threads: int) -> Iterator[int]:
        """Limit searches inside a ``with`` block to so many threads.

        Args:
            threads: The limit.

        Yields:
            The threads that a search really uses: 1, unless a subclass knows better.
        """
        del threads
        yield 1


def check_database(database: Codes) -> None:
    """Raise DataError if there is nothing to index."""
    if len(database) == 0:
        raise DataError("search: the database is empty")


def check_query(query: Codes, k: int, *, bits: int) -> None:
    """Check a search's arguments.

    Args:
        query: The queries.
        k: How many neighbours.
        bits: The database's code length.

    Raises:
        DataError: If there is no query, or its code length is another.
        ConfigError: If k is below 1.
    """
    if k < 1:
        raise ConfigError(f"k: must be at least 1, got {k}")
    if len(query) == 0:
        raise DataError("search: zero queries; there is nothing to look for")
    if query.bits != bits:
        raise DataError(f"codes: queries have {query.bits} bits, the database {bits}")
