"""Which process a number means: numbers are given out again, so its start is part of it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_AFTER_NAME_STATE, _AFTER_NAME_START = 0, 19  # fields of /proc/PID/stat behind the name


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of one machine.

    Attributes:
        pid: Its number.
        start: When it started, in clock ticks since the machine did.
        boot: The id of that start of the machine.
        host: The machine's name.
    """

    pid: int
    start: int
    boot: str
    host: str

    @classmethod
    def own(cls) -> ProcessIdentity:
        """This process."""
        _, start = _stat(os.getpid()) or ("", 0)
        return cls(os.getpid(), start, _boot(), socket.gethostname())

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether that very process runs; of another machine nothing is known, and it counts."""
        if not self.here:
            return True
        state, start = _stat(self.pid) or ("", -1)
        return start == self.start and state not in ("", "Z", "X") and _boot() == self.boot


def _stat(pid: int) -> tuple[str, int] | None:
    """A process's state and start; None if there is none of the number."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name, in brackets, may hold anything; what follows its last bracket is numbers.
    fields = text.rpartition(")")[2].split()
    return fields[_AFTER_NAME_STATE], int(fields[_AFTER_NAME_START])


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
