"""Errors that a user can resolve, each with the exit code of the command."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    CELLS_FAILED = 3
    GATE_FAILED = 4
    NOT_REPRODUCED = 5
    NOTHING_SELECTED = 6
    STORE_DAMAGED = 7
    INTERRUPTED = 130


class HashbenchError(Exception):
    """An error with one clear line for the user.

    Args:
        message: What is wrong, where, and what to do about it.
    """

    exit_code: ExitCode = ExitCode.USAGE


class ConfigError(HashbenchError):
    """One or more mistakes in the user's input, all reported at once.

    Args:
        problems: One line for each mistake.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class DataError(HashbenchError):
    """Images, labels, codes or lists are invalid."""


class StoreError(HashbenchError):
    """The store cannot be read or written (missing, not a store, disk full, no permission)."""


class DamagedStoreError(StoreError):
    """A file of the store does not match its checksum or its schema."""

    exit_code = ExitCode.STORE_DAMAGED


class LeaseLostError(StoreError):
    """Another run took the cell over, so the result of this run is discarded."""

    exit_code = ExitCode.INTERRUPTED


class NothingSelectedError(HashbenchError):
    """A selection matched no cell."""

    exit_code = ExitCode.NOTHING_SELECTED


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Suggest the known word that is nearest to a misspelt one.

    Args:
        word: The word that the user wrote.
        known: The valid words.

    Returns:
        ``Did you mean 'x'?``, or the list of known words if none is near.
    """
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Known: {', '.join(sorted(known))}." if known else "None are known."
