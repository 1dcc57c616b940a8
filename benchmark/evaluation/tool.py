"""The choice of what counts pairs on the CPU: loops compiled by numba, or numpy."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import lru_cache

from hashbench.core.errors import ConfigError, did_you_mean

VARIABLE = "HASHBENCH_COUNTING"
"""Environment variable that sets the tool."""

WORTH_COMPILED = 100_000_000
"""Pairs from which on the compiled loops are worth loading.

Loading them takes most of a second, in which numpy counts about this many.
"""

_KERNELS = "hashbench.evaluation.kernels.compiled"


class Tool(StrEnum):
    """``numba``: compiled loops. ``numpy``: the fallback. Both give the same numbers."""

    NUMBA = "numba"
    NUMPY = "numpy"


@lru_cache(maxsize=1)
def numba_problem() -> str | None:
    """Return why numba cannot be used; None if it can."""
    try:
        import numba  # noqa: F401 - a test whether it loads with this numpy
    except Exception as error:  # an incompatible numba raises various errors
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def choose(pairs: int) -> Tool:
    """Choose the tool for this many pairs of a query and an item.

    Raises:
        ConfigError: If the environment names an unknown tool, or numba and it does not load.
    """
    name = os.environ.get(VARIABLE)
    if name:
        return _named(name)
    if pairs < WORTH_COMPILED and _KERNELS not in sys.modules:
        return Tool.NUMPY
    return Tool.NUMPY if numba_problem() else Tool.NUMBA


def _named(name: str) -> Tool:
    if name not in set(Tool):
        raise ConfigError(f"{VARIABLE}: unknown tool '{name}'. {did_you_mean(name, list(Tool))}")
    tool = Tool(name)
    problem = numba_problem() if tool is Tool.NUMBA else None
    if problem:
        raise ConfigError(f"{VARIABLE}: numba does not load ({problem}); write numpy, or reinstall")
    return tool
