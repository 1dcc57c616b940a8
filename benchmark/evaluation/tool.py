"""What counts the pairs of an evaluation: compiled loops, or numpy where there are none."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import lru_cache

from hashbench.core.errors import ConfigError, did_you_mean

VARIABLE = "HASHBENCH_COUNTING"
"""Environment variable that fixes the tool."""

WORTH_COMPILED = 100_000_000
"""Pairs from which the compiled loops pay for being loaded.

Loading them takes most of a second, in which numpy counts about so many.
"""

_KERNELS = "hashbench.evaluation.kernels.compiled"


class Tool(StrEnum):
    """``numba``: compiled loops. ``numpy``: the fall-back. Both give the same numbers."""

    NUMBA = "numba"
    NUMPY = "numpy"


@lru_cache(maxsize=1)
def numba_problem() -> str | None:
    """Why numba cannot be used; None if it can."""
    try:
        import numba  # noqa: F401 - only to see whether it loads beside this numpy
    except Exception as error:  # a numba that does not fit its surroundings raises all kinds
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def choose(pairs: int) -> Tool:
    """The tool for so many pairs of a query and an item.

    Raises:
        ConfigError: If the environment names an unknown tool, or numba and it does not load.
    """
    asked = os.environ.get(VARIABLE)
    if asked:
        return _asked(asked)
    if pairs < WORTH_COMPILED and _KERNELS not in sys.modules:
        return Tool.NUMPY
    return Tool.NUMPY if numba_problem() else Tool.NUMBA


def _asked(name: str) -> Tool:
    if name not in set(Tool):
        raise ConfigError(f"{VARIABLE}: unknown tool '{name}'. {did_you_mean(name, list(Tool))}")
    tool = Tool(name)
    problem = numba_problem() if tool is Tool.NUMBA else None
    if problem:
        raise ConfigError(f"{VARIABLE}: numba does not load ({problem}); write numpy, or reinstall")
    return tool
