"""Compiling a function with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call, and keep what is compiled on disk where that can be written.

    The function holds no lock of the interpreter, and divides as numpy does: a check for zero
    would keep divisions from being done several at a time.
    """
    try:
        return cast(_Function, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))
