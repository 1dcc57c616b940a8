"""The process beside a job: waits its turn, keeps its output, and writes down how it ended.

``python -m hashbench.studio.jobs.supervisor FOLDER``, in a session of its own, so that it survives
the page. It loads nothing heavy: it lives as long as the job.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO, Final

from hashbench.studio.jobs.job_files import (
    BEGAN,
    EXIT,
    EXIT_BYTES,
    LOG,
    PID,
    Command,
    End,
    JobFiles,
)
from hashbench.studio.jobs.process_identity import ProcessIdentity

_LOOK_SECONDS: Final = 0.3
_LAST_LINES: Final = 8
_INTERRUPTED: Final = 130
_CANNOT_START: Final = 127


@dataclass(slots=True)
class _Told:
    """Whether the job was asked to end."""

    stop: bool = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stop = True


@dataclass(slots=True)
class _Log:
    """A job's output on the disk, and its last words in memory for when the disk is full."""

    path: Path
    said: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    failed: str = ""

    def copy(self, output: IO[bytes]) -> None:
        """Keep what comes until there is no more."""
        with self.path.open("ab", buffering=0) as file:
            for line in output:
                if not line.startswith(b"{"):
                    self.said.append(line.decode("utf-8", "replace").rstrip())
                try:
                    file.write(line)
                except OSError as error:
                    self.failed = error.strerror or str(error)


def supervise(folder: Path) -> int:
    """Run a job to its end.

    Args:
        folder: The job's folder.

    Returns:
        The job's exit code, as a shell would have it.
    """
    told = _Told()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told.hear)  # a handler, unlike "ignore", is not inherited
    files = JobFiles(folder)
    (folder / EXIT).write_bytes(b" " * EXIT_BYTES)
    identity = json.dumps(asdict(ProcessIdentity.own()))
    _replace(folder / PID, identity)
    command = files.command()
    if command is None:
        return _ended(folder, End(_CANNOT_START, _now(), f"error: {folder} has no command"))
    if command.queue and not _turn(folder, told):
        return _ended(folder, End(_INTERRUPTED, _now(), stopped=True))
    return _ended(folder, _run(folder, command, told))


def _run(folder: Path, command: Command, told: _Told) -> End:
    log = _Log(folder / LOG)
    try:
        (folder / BEGAN).write_text(_now() + "\n", encoding="ascii")
        process = subprocess.Popen(  # noqa: S603 - the page wrote it, no shell
            command.program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        return End(_CANNOT_START, _now(), f"error: it cannot be started: {error}")
    with process, process.stdout as output:  # type: ignore[union-attr] # it is a pipe
        log.copy(output)
    said = "\n".join(log.said)
    return End(process.returncode, _now(), said, stopped=told.stop, log_failed=log.failed)


def _turn(folder: Path, told: _Told) -> bool:
    """Wait until no earlier job waits or works; False if asked to end meanwhile."""
    while any(_goes_first(other) for other in _earlier(folder)):
        if told.stop:
            return False
        time.sleep(_LOOK_SECONDS)
    return not told.stop


def _earlier(folder: Path) -> list[Path]:
    names = [path for path in folder.parent.iterdir() if path.name < folder.name]
    return [path for path in names if not path.name.startswith(".")]


def _goes_first(folder: Path) -> bool:
    files = JobFiles(folder)
    command, identity = files.command(), files.identity()
    if command is None or not command.queue or identity is None:
        return False
    return files.end() is None and identity.here and identity.alive


def _ended(folder: Path, end: End) -> int:
    # In the room taken at the start: a full disk does not hide how it ended.
    with (folder / EXIT).open("r+b") as file:
        file.write(end.as_bytes())
        file.flush()
        os.fsync(file.fileno())
    return end.code


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".tmp-{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(abs(supervise(Path(sys.argv[1]))))
