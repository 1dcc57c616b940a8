"""From an exception to a status and its cause."""

from __future__ import annotations

import traceback

import torch

from hashbench.core.errors import HashbenchError
from hashbench.core.record import Cause, Status
from hashbench.methods.interface import DivergedError

_TRACEBACK_LINES = 12
_CPU_OOM = "DefaultCPUAllocator: can't allocate memory"  # torch has no class for it


def classify(error: BaseException) -> tuple[Status, Cause]:
    """The status an exception stands for, and its cause in words.

    Errors that are meant for the user come without a traceback; all others with its last lines.
    """
    status = Status.FAILED
    if isinstance(error, DivergedError):
        status = Status.DIVERGED
    elif isinstance(error, MemoryError | torch.OutOfMemoryError) or _CPU_OOM in str(error):
        status = Status.OOM
    lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES:]
    expected = isinstance(error, HashbenchError | DivergedError)
    return status, Cause(
        type=type(error).__name__,
        message=str(error),
        traceback="" if expected else "\n".join(lines),
    )
