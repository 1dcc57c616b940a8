"""Compiling a function with numba."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _digest() -> str:
    """Of all files of evaluation: compiled code holds constants of those above this folder too."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


_SOURCES = _digest()


def compiled(function: _Function) -> _Function:
    """Compile at the first call, and keep what is compiled on disk where that can be written.

    The function holds no lock of the interpreter, and divides as numpy does: a check for zero
    would keep divisions from being done several at a time.

    What is kept notices changes of the function's own file, but holds what the function uses of
    others as well. So it is kept under a name that changes with any of them.
    """
    function.__qualname__ += f"-{_SOURCES}"
    try:
        return cast(_Function, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))
