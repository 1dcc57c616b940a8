"""What the record of a cell says whose job ended without one."""

from __future__ import annotations

from pathlib import Path

from hashbench.core.record import Cause, Status
from hashbench.run.launchers.slurm.ledger import Handed
from hashbench.run.launchers.slurm.queue import JobState
from hashbench.run.process import End

_LINES = 12
_SIGNALLED = 128  # a shell's code of a program that a signal ended is above
_STATUS = {
    "CANCELLED": Status.INTERRUPTED,
    "DEADLINE": Status.TIMEOUT,
    "OUT_OF_MEMORY": Status.OOM,
    "TIMEOUT": Status.TIMEOUT,
}
_WORDS = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled in Slurm",
    "COMPLETED": "it ended without a word",
    "DEADLINE": "its deadline in Slurm passed",
    "FAILED": "it failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it took more memory than it had asked for; ask for more: execute.slurm.mem",
    "PREEMPTED": "it was pre-empted and not queued again",
    "TIMEOUT": "Slurm ended it at its time limit, execute.slurm.time",
}


def describe_loss(handed: Handed, state: JobState | None, output: Path) -> End:
    """What the record of a lost job says.

    Args:
        handed: The job.
        state: How it ended; None if Slurm does not know it any more.
        output: What it printed.
    """
    if state is None:
        what, status = "Slurm does not know it any more", Status.KILLED
    else:
        what = _WORDS.get(state.word, f"it ended as {state.word}")
        status = _STATUS.get(state.word, Status.KILLED)
        if state.word in ("FAILED", "COMPLETED"):
            code, _, signal = state.exit_code.partition(":")
            killed = signal not in ("", "0") or (code.isdecimal() and int(code) > _SIGNALLED)
            status = Status.KILLED if killed else Status.FAILED
            what += f" (exit code {state.exit_code})" if state.exit_code else ""
    where = f", on node {state.node}" if state and state.node else ""
    printed = output.read_text(errors="replace").splitlines() if output.is_file() else []
    lines = [line for line in printed if line.strip()]
    last = f": {lines[-1]}" if lines and status is Status.FAILED else ""
    message = f"{handed}{where}: {what}{last}"
    return End(
        status, Cause(type=status.value, message=message, traceback="\n".join(lines[-_LINES:]))
    )
