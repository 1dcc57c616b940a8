"""Call Slurm's programs and read their output."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from hashbench.core.errors import ConfigError

PROGRAMS = ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
_PATIENCE = 120.0
# Each of these changes the format of the output.
_USERS_OWN = ("SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SQUEUE_STATES", "SQUEUE_SORT", "SINFO_FORMAT")


class SlurmError(Exception):
    """A program of Slurm ended with an error, or did not answer; a one-line message."""


def ask(*command: str) -> str:
    """Return the output of a program.

    Raises:
        SlurmError: If it fails or does not answer.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _USERS_OWN}
    try:
        done = subprocess.run(  # noqa: S603 - a program of Slurm with fixed arguments, no shell
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
            env={**environment, "LC_ALL": "C"},
            # Ctrl-C goes to this process only, not to the program it waits for.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} did not answer within {_PATIENCE:g} s") from None
    except OSError as error:
        raise SlurmError(f"{command[0]}: {error.strerror or error}") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise SlurmError(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")
    return done.stdout


def cluster_name() -> str:
    """Return the name of the cluster that this machine belongs to.

    Raises:
        ConfigError: If Slurm is not installed here, or does not answer.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"--backend slurm: no {', '.join(missing)} here; run it on a login node of the cluster"
        )
    try:
        lines = ask("scontrol", "show", "config").splitlines()
    except SlurmError as error:
        raise ConfigError(
            f"--backend slurm: Slurm does not answer ({error}); hashbench doctor --backend slurm "
            f"shows what is there"
        ) from None
    values = dict(_halves(line, "=") for line in lines if "=" in line)
    return values.get("ClusterName", "unknown")


def cancel(job_ids: Sequence[str]) -> None:
    """Cancel jobs; those that have ended are left alone.

    Raises:
        SlurmError: If Slurm does not answer.
    """
    if job_ids:
        ask("scancel", "--quiet", *job_ids)


def _halves(text: str, at: str) -> tuple[str, str]:
    left, _, right = text.partition(at)
    return left.strip(), right.strip()
