"""The states of Slurm jobs, and the status and message of a job that was lost."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from hashbench.core.record import Cause, Status
from hashbench.run.end_record import End
from hashbench.run.launchers.slurm.ledger import Submitted
from hashbench.run.launchers.slurm.programs import SlurmError, ask

_ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
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
_FIELDS = ("%i", "%T", "%r", "%N", "%j")


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job.

    Attributes:
        word: Slurm's name for it, such as ``RUNNING``.
        reason: Why it waits or ended, in Slurm's words.
        node: The node on which it runs or ran.
        exit_code: Its code and the signal that ended it, ``1:0``; empty where it is not known.
    """

    word: str
    reason: str = ""
    node: str = ""
    exit_code: str = ""

    @property
    def ended(self) -> bool:
        """Whether the Slurm job has ended."""
        return self.word in _ENDED

    @property
    def waits(self) -> bool:
        """Whether it waits for a node."""
        return self.word == "PENDING"


def states(names: Collection[str]) -> dict[str, JobState]:
    """Return the states of the jobs that Slurm still knows, by job id, for arrays of some names.

    Raises:
        SlurmError: If Slurm does not answer.
    """
    if not names:
        return {}
    wanted = ",".join(sorted(names))
    written = ask(
        *("squeue", "--noheader", "--array", "--states=all", f"--name={wanted}"),
        f"--format={'|'.join(_FIELDS)}",
    )
    rows = [line.split("|") for line in written.splitlines()]
    whole = [row for row in rows if len(row) == len(_FIELDS)]
    return {job: JobState(word, why, node) for job, word, why, node, _ in whole}


def job_id_of(name: str) -> str | None:
    """Return the id of the array of a name; None if Slurm knows none.

    Raises:
        SlurmError: If Slurm does not answer.
    """
    known = sorted(states([name]))
    return known[0].partition("_")[0] if known else None


def last_state(job_id: str) -> JobState | None:
    """Return how a job ended; None if Slurm does not know it any more.

    The controller forgets jobs after minutes, and not every cluster keeps accounts.
    """
    return _asked_controller(job_id) or _asked_accounts(job_id)


def _asked_controller(job_id: str) -> JobState | None:
    try:
        written = ask("scontrol", "--oneliner", "show", "job", job_id)
    except SlurmError:
        return None
    values = dict(re.findall(r"(\w+)=(\S*)", written))
    if "JobState" not in values:
        return None
    return JobState(
        values["JobState"],
        values.get("Reason", ""),
        values.get("NodeList", "").replace("(null)", ""),
        values.get("ExitCode", ""),
    )


def _asked_accounts(job_id: str) -> JobState | None:
    fields = "State,Reason,NodeList,ExitCode"
    try:
        written = ask("sacct", "-X", "--noheader", "--parsable2", "-o", fields, "-j", job_id)
    except SlurmError:
        return None
    rows = [line.split("|") for line in written.splitlines()]
    if not rows or len(rows[-1]) != len(fields.split(",")):
        return None
    word, reason, node, code = rows[-1]
    # "CANCELLED by 1000"
    return JobState(word.partition(" ")[0], reason, node, code)


def describe_loss(submitted: Submitted, state: JobState | None, output: Path) -> End:
    """Describe the end of a lost job, for its record."""
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
    message = f"{submitted}{where}: {what}{last}"
    return End(
        status, Cause(type=status.value, message=message, traceback="\n".join(lines[-_LINES:]))
    )
