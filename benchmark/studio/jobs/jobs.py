"""Jobs: commands that the page started, each a folder, each a process that outlives the page.

``STORE/.work/studio/JOB/``: ``command.json`` (what), ``pid`` (who), ``began``, ``log`` (output),
``exit`` (how it ended), and the job's own files. The page only reads them; nothing is remembered.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX, write_atomically
from hashbench.core.record import timestamp
from hashbench.studio.jobs.job_endings import ending
from hashbench.studio.jobs.job_files import BEGAN, COMMAND, EXIT, LOG, PID, Command, End, JobFiles

MAIN: Final = "from hashbench.cli import main; main(prog_name='hashbench')"
_START_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.02
_TAIL_BYTES: Final = 64 * 1024
_SECRET: Final = "HASHBENCH_STUDIO_PASSWORD"  # noqa: S105 - the name of a variable
_PAGES: Final = ("GRADIO_", "HF_")  # what the page's process sets for itself


class JobState(StrEnum):
    """Where a job stands, as its folder says."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    KILLED = "killed"

    @property
    def over(self) -> bool:
        """Whether nothing runs any more."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its folder had it when it was read.

    Attributes:
        folder: Its folder.
        command: What it does.
        state: Where it stands.
        message: One line for people.
        began: When its work began; None before.
        end: How it ended; None before, or where it was killed from outside.
        host: The machine that it runs on.
    """

    folder: Path
    command: Command
    state: JobState
    message: str
    began: str | None = None
    end: End | None = None
    host: str = ""

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def command_line(self) -> str:
        """What to type in a shell for the same."""
        return shlex.join(self.command.argv)

    def tail(self, most: int = _TAIL_BYTES) -> str:
        """The end of its output.

        Args:
            most: Bytes; a line that this cuts is left out.
        """
        try:
            with (self.folder / LOG).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - most))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return text.partition("\n")[2] if size > most else text


def start(
    jobs: Path,
    kind: str,
    title: str,
    *,
    argv: Callable[[Path], Sequence[str]],
    queue: bool = False,
    program: Sequence[str] = (),
) -> Job:
    """Start a command that outlives this process.

    Args:
        jobs: The folder of all jobs.
        kind: What kind of command it is.
        title: For people.
        argv: Writes what the job needs into its folder, and gives the command line, ``hashbench``
            first.
        queue: Whether to wait for the earlier jobs that wait as well.
        program: What is executed instead of the command line.

    Returns:
        The job, begun or waiting for its turn.

    Raises:
        StoreError: If the store cannot be written, or the process does not start.
    """
    folder = _new_folder(jobs)
    try:
        words = tuple(argv(folder))
        made = tuple(program) or (sys.executable, "-c", MAIN, *words[1:])
        command = Command(kind, title, words, made, timestamp(), queue)
        _write_command(folder, command)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error
        raise
    return _launch(folder)


def resume(jobs: Path, name: str) -> Job:
    """Start a job that is over once more, in its folder: what it finished is kept.

    Args:
        jobs: The folder of all jobs.
        name: The job's id.

    Raises:
        ConfigError: If there is no such job, or it is not over.
        StoreError: If the process does not start.
    """
    job = find(jobs, name)
    if not job.state.over:
        raise ConfigError(f"job {name}: is {job.state}; stop it first")
    for file in (EXIT, PID, BEGAN):
        (job.folder / file).unlink(missing_ok=True)
    os.utime(job.folder / COMMAND)  # its process has a moment to say who it is
    return _launch(job.folder)


def stop(jobs: Path, name: str) -> Job:
    """Ask a job to end: SIGTERM to its process group.

    Args:
        jobs: The folder of all jobs.
        name: The job's id.

    Raises:
        ConfigError: If there is no such job, it is over, or it runs on another machine.
    """
    job = find(jobs, name)
    identity = JobFiles(job.folder).identity()
    if job.state.over or identity is None:
        raise ConfigError(f"job {name}: is over ({job.state})")
    if not identity.here:
        raise ConfigError(f"job {name}: runs on {identity.host}; stop it there")
    if identity.alive:
        with suppress(ProcessLookupError):
            os.killpg(identity.pid, signal.SIGTERM)
    return find(jobs, name)


def remove(jobs: Path, name: str) -> None:
    """Delete a job that is over, with its log and what was uploaded for it.

    Raises:
        ConfigError: If there is no such job, or it is not over.
        StoreError: If it cannot be deleted.
    """
    job = find(jobs, name)
    if not job.state.over:
        raise ConfigError(f"job {name}: is {job.state}; stop it first")
    hidden = job.folder.with_name(f"{TEMPORARY_PREFIX}{job.id}")
    try:
        job.folder.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise StoreError(f"cannot delete {job.folder}: {error.strerror or error}") from None


def read_all(jobs: Path) -> list[Job]:
    """All jobs, the newest first."""
    try:
        folders = sorted((p for p in jobs.iterdir() if p.name[:1] != "."), reverse=True)
    except OSError:
        return []
    return [job for folder in folders if (job := _read(folder))]


def find(jobs: Path, name: str) -> Job:
    """A job by its id.

    Raises:
        ConfigError: If there is none.
    """
    plain = Path(name).name == name and not name.startswith(".")
    job = _read(jobs / name) if plain else None
    if job is None:
        raise ConfigError(f"job {name!r:.100}: there is none; it may have been removed")
    return job


def _read(folder: Path) -> Job | None:
    files = JobFiles(folder)
    command = files.command()
    if command is None:
        return None
    # The identity first: a process that ends between two looks has written its end by the second.
    identity = files.identity()
    alive = identity is not None and identity.alive
    began, end = files.began(), files.end()
    host = identity.host if identity else ""
    if end is not None:
        code, message = ending(end)
        return Job(folder, command, JobState(code), message, began, end, host)
    if not alive and not _just_made(folder, has_identity=identity is not None):
        return Job(folder, command, JobState.KILLED, ending(None)[1], began, None, host)
    if began is None:
        return Job(folder, command, JobState.QUEUED, "waits for its turn", host=host)
    where = "" if identity is None or identity.here else f" on {host}"
    return Job(folder, command, JobState.RUNNING, f"running{where}", began, None, host)


def _just_made(folder: Path, *, has_identity: bool) -> bool:
    """Whether its process may only be about to say who it is."""
    if has_identity:
        return False
    try:
        return time.time() - (folder / COMMAND).stat().st_mtime < _START_SECONDS
    except OSError:
        return False


def _new_folder(jobs: Path) -> Path:
    while True:
        folder = jobs / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(f"cannot write {folder}: {error.strerror or error}") from None
        return folder


def _write_command(folder: Path, command: Command) -> None:
    write_atomically(folder / COMMAND, json.dumps(asdict(command), indent=1).encode() + b"\n")


def environment() -> dict[str, str]:
    """The shell's variables for a command: not the page's password, nor what keeps it offline."""
    own = {k: v for k, v in os.environ.items() if k != _SECRET and not k.startswith(_PAGES)}
    try:
        words = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return own
    given = (os.fsdecode(word).partition("=") for word in words)
    return own | {k: value for k, _, value in given if k.startswith(_PAGES)}


def _launch(folder: Path) -> Job:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "hashbench.studio.jobs.supervisor", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
        )
    except OSError as error:
        raise StoreError(f"job {folder.name}: cannot be started: {error}") from None
    # So that it leaves no zombie behind while this process lives.
    threading.Thread(target=process.wait, daemon=True).start()
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if JobFiles(folder).identity() is not None:
            break
        time.sleep(_LOOK_SECONDS)
    return find(folder.parent, folder.name)
