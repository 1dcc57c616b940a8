"""A worker's process: launched in a group of its own, heard, and ended with all it started."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashbench.core.errors import ExitCode
from hashbench.core.record import Cause, Status

COMMAND = (sys.executable, "-m", "hashbench.worker")
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 10.0
_LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class End:
    """How a worker ended that may not have written a record itself.

    Attributes:
        status: What the record shall say.
        cause: Why.
    """

    status: Status
    cause: Cause


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A running worker.

    It is waited for without being reaped, so that its process group cannot become another's before
    the whole group is killed.

    Attributes:
        process: The leader of the group.
        pipe: Where its events are read from.
        log: The file with its standard output and error.
        timeout: Seconds it may take, or None.
        deadline: When they are over, on the monotonic clock.
    """

    process: subprocess.Popen[bytes]
    pipe: int
    log: Path
    timeout: float | None
    deadline: float

    @classmethod
    def launch(cls, job: Path, log: Path, *, timeout: float | None) -> WorkerProcess:
        """Start a worker on a job file.

        Args:
            job: The job as JSON.
            log: Where its output goes.
            timeout: Seconds it may take, or None.
        """
        reading, writing = os.pipe()
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                    [*COMMAND, str(job), str(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[writing],
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        allowed = float("inf") if timeout is None else timeout
        return cls(process, reading, log, timeout, time.monotonic() + allowed)

    def events(self) -> Iterator[dict[str, Any]]:
        """What the worker says, until it has ended or its time is over."""
        rest = b""
        while True:
            # Asked before reading, so that what it said last is not missed.
            ended = self._ended() is not None
            left = self.deadline - time.monotonic()
            wait = 0.0 if ended else max(0.0, min(_POLL_SECONDS, left))
            readable = bool(select.select([self.pipe], [], [], wait)[0])
            block = os.read(self.pipe, 65536) if readable else b""
            *lines, rest = (rest + block).split(b"\n")
            yield from (json.loads(line) for line in lines)
            if (ended and not block) or (not ended and left <= 0):
                return
            if readable and not block:
                # The pipe is closed and the process about to end: reading it no longer waits.
                time.sleep(min(wait, _POLL_SECONDS / 10))

    def end(self) -> End | None:
        """How it ended, once `events` is exhausted; None where it ended by itself, in order."""
        ended = self._ended()
        if ended is None:
            return self._describe(Status.TIMEOUT, f"took longer than {self.timeout:g} s")
        if ended.si_code != os.CLD_EXITED:
            name = signal.Signals(ended.si_status).name
            hint = "; perhaps memory ran out" if ended.si_status == signal.SIGKILL else ""
            return self._describe(Status.KILLED, f"the worker was ended by {name}{hint}")
        if ended.si_status in (ExitCode.OK, ExitCode.CELLS_FAILED):
            return None
        if ended.si_status == ExitCode.INTERRUPTED:
            return self._describe(Status.KILLED, "the worker was asked to end (SIGTERM)")
        return self._describe(Status.FAILED, f"the worker ended with code {ended.si_status}")

    def silent(self) -> End:
        """The end of a worker that came to its end in order but left no record."""
        return self._describe(Status.FAILED, "the worker ended without leaving a record")

    def interrupted(self) -> End:
        """The end of a worker that the user interrupted."""
        return End(Status.INTERRUPTED, Cause(type="interrupted", message="interrupted by the user"))

    def kill(self) -> None:
        """End the process group, politely first, and wait until its leader is gone."""
        try:
            if self._ended() is None:
                self._signal(signal.SIGTERM)
                # A second Ctrl-C means: do not wait any longer.
                with suppress(KeyboardInterrupt):
                    self._wait(_GRACE_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            self.process.wait()
            os.close(self.pipe)

    def _ended(self) -> os.waitid_result | None:
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.process.pid, options)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._ended() is None and time.monotonic() < until:
            time.sleep(_POLL_SECONDS / 10)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _describe(self, status: Status, message: str) -> End:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        last = f": {lines[-1]}" if lines else ""
        tail = "\n".join(lines[-_LOG_LINES:])
        return End(status, Cause(type=status.value, message=message + last, traceback=tail))
