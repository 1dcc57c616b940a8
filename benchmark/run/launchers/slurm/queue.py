"""What Slurm says of jobs: waiting, running, or how they ended."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

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
_FIELDS = ("%i", "%T", "%r", "%N", "%j")


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands.

    Attributes:
        word: Slurm's word for it, such as ``RUNNING``.
        reason: Why it waits or ended, in Slurm's words.
        node: Where it runs or ran.
        exit_code: Its code and the signal that ended it, ``1:0``; empty where it is not known.
    """

    word: str
    reason: str = ""
    node: str = ""
    exit_code: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will do no more."""
        return self.word in _ENDED

    @property
    def waits(self) -> bool:
        """Whether it waits for a node."""
        return self.word == "PENDING"


def states(names: Collection[str]) -> dict[str, JobState]:
    """The jobs of some arrays that Slurm still knows, by job id.

    Args:
        names: The arrays' names.

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
    """What Slurm calls the array of a name; None if it knows none.

    Raises:
        SlurmError: If Slurm does not answer.
    """
    known = sorted(states([name]))
    return known[0].partition("_")[0] if known else None


def last_state(job_id: str) -> JobState | None:
    """How a job ended, as well as Slurm still knows; None if nobody knows.

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
