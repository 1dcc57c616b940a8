"""How a job ended, in one line that says what to do."""

from __future__ import annotations

import signal
from typing import Final

from hashbench.core.errors import ExitCode
from hashbench.studio.jobs.job_files import End

_KEPT: Final = "what was finished is kept: Resume goes on"
_FULL: Final = ("no space left on device", "disk quota exceeded")
_CODES: Final = {
    ExitCode.CELLS_FAILED: "some cells failed",
    ExitCode.NOT_REPRODUCED: "outside the tolerance: the second run gave other numbers",
    ExitCode.NOTHING_SELECTED: "nothing was selected",
}
_SHOWN: Final = 500


def ending(end: End | None) -> tuple[str, str]:
    """The state that a job ended in, and a line on it.

    Args:
        end: How it ended; None where its process is gone and has not said.

    Returns:
        A word of `hashbench.studio.jobs.jobs.JobState`, and the line.
    """
    if end is None:
        return "killed", f"killed from outside, or the machine was restarted; {_KEPT}"
    if full := _full(end):
        return "failed", f"the disk is full ({full}); make room: {_KEPT}"
    if end.code == 0:
        return "done", _last(end) or "done"
    if end.stopped or end.code == ExitCode.INTERRUPTED:
        return "stopped", f"stopped; {_KEPT}"
    if end.code < 0:
        hint = ", perhaps because memory ran out" if end.code == -signal.SIGKILL else ""
        return "killed", f"killed by {_name(-end.code)}{hint}; {_KEPT}"
    known = _CODES.get(ExitCode(end.code)) if end.code in set(ExitCode) else None
    return "failed", _errors(end) or known or f"code {end.code}: {_last(end) or 'no word'}"


def _full(end: End) -> str:
    """What could not be written for want of room; empty if that is not what happened."""
    if end.log_failed.lower() in _FULL:
        return "its log"
    lines = [line for line in end.said.splitlines() if any(w in line.lower() for w in _FULL)]
    return _plain(lines[-1]) if lines and end.code else ""


def _errors(end: End) -> str:
    """The lines that the command marked as errors."""
    marked = [line for line in end.said.splitlines() if line.lower().startswith("error:")]
    return "; ".join(_plain(line.partition(":")[2]) for line in marked)[:_SHOWN]


def _last(end: End) -> str:
    lines = end.said.split("\n")
    return _plain(lines[-1]) if lines else ""


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line).strip()[:_SHOWN]


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
