"""The interface of search engines: an index over binary codes, and what a search finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The neighbours that a search found, nearest first, equal distances by id.

    An approximate engine may find fewer than k; its last places then hold the id -1 at a distance
    of bits + 1, which no code has.

    Attributes:
        distances: Hamming distances, int32 (Q, min(k, N)).
        ids: Positions in the database, int64 (Q, min(k, N)).
    """

    distances: NDArray[np.int32]
    ids: NDArray[np.int64]


def in_order(distances: NDArray[Any], ids: NDArray[Any], *, bits: int) -> Neighbours:
    """Sort the neighbours of each query by distance, equal ones by id, with missing ones last.

    Args:
        distances: Hamming distances (Q, k), of any number type.
        ids: Positions in the database (Q, k), integers; negative where nothing was found.
        bits: Code length.

    Returns:
        The same neighbours; missing ones have the id -1 and the distance bits + 1.
    """
    missing = ids < 0
    far = np.where(missing, bits + 1, distances).astype(np.int32)
    known = np.where(missing, -1, ids).astype(np.int64)
    order = np.lexsort((known, far), axis=-1)
    return Neighbours(
        np.take_along_axis(far, order, axis=-1), np.take_along_axis(known, order, axis=-1)
    )


class IndexEngine(ABC):
    """An index over binary codes.

    A subclass sets ``info``, implements `build`, `search` and `bytes`, says in `available` how to
    install what it needs, and overrides `pinned_threads` if it can use more than one thread. Its
    parameters are the fields of ``Params``; `refusals` lists the reasons why it cannot index some
    codes, before any work, and `facts` reports the values it chose by itself. Heavy libraries are
    imported inside these methods, so that a missing one affects only those who use it.

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
        KIND: The kind of component, for plugin files.
        Params: The class of the parameters.
        info: Title, version, paper and citation of the component.
    """

    KIND: ClassVar[Kind] = Kind.ENGINE
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]

    def __init__(self, params: BaseParams | None = None) -> None:
        self.params = self.Params() if params is None else params

    @classmethod
    def available(cls) -> str | None:
        """Return None if the engine can run here, else one line on how to install it."""
        return None

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, items: int) -> list[str]:
        """List the reasons why such codes cannot be searched, one line each with its remedy.

        Args:
            params: The parameters; an instance of ``Params``.
            bits: Code length.
            items: Codes in the database.
        """
        del params, bits, items
        return []

    @property
    def facts(self) -> Mapping[str, Any]:
        """The values that the built index has for parameters left to the engine."""
        return {}

    @abstractmethod
    def build(self, database: Codes) -> None:
        """Index a database, in place of any earlier one.

        Raises:
            DataError: If the database is empty.
            ConfigError: If a library is missing, or `refusals` lists a reason.
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
            The threads that a search really uses: 1, unless a subclass overrides this method.
        """
        del threads
        yield 1


def check_database(database: Codes) -> None:
    """Raise DataError if there is nothing to index."""
    if len(database) == 0:
        raise DataError("search: the database is empty")


def check_build(engine: IndexEngine, database: Codes) -> None:
    """Check that an engine can index a database.

    Raises:
        DataError: If the database is empty.
        ConfigError: If the engine's library is missing, or it refuses such codes.
    """
    check_database(database)
    missing = engine.available()
    if missing:
        raise ConfigError(missing)
    refused = engine.refusals(engine.params, bits=database.bits, items=len(database))
    if refused:
        raise ConfigError(*refused)


def check_query(query: Codes, k: int, *, bits: int) -> None:
    """Check the arguments of a search in codes of ``bits`` bits.

    Raises:
        DataError: If there is no query, or the queries have another code length.
        ConfigError: If k is below 1.
    """
    if k < 1:
        raise ConfigError(f"k: must be at least 1, got {k}")
    if len(query) == 0:
        raise DataError("search: zero queries; there is nothing to look for")
    if query.bits != bits:
        raise DataError(f"codes: queries have {query.bits} bits, the database {bits}")
