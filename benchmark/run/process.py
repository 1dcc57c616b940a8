"""A worker's process: launched in its own group, read from, ended with all it started."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashbench.core.errors import ExitCode
from hashbench.core.record import Cause, Status
from hashbench.run.end_record import End

COMMAND = (sys.executable, "-m", "hashbench.worker")
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 10.0
_LOG_LINES = 12


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A running worker.

    It is waited for without being reaped, so that its process group cannot become another's before
    the whole group is killed.

    Attributes:
        process: The leader of the group.
        pipe: Where its events are read from.
        life: The writing end of a pipe that closes with this process: how the worker notices.
        log: The file with its standard output and error.
        timeout: Seconds it may take, or None.
        deadline: When they are over, on the monotonic clock.
        started: When it was launched, on the same clock.
        closed: Whether its pipe was closed: it ends, or reports nothing more.
    """

    process: subprocess.Popen[bytes]
    pipe: int
    life: int
    log: Path
    timeout: float | None
    deadline: float
    started: float
    _rest: bytes = field(default=b"", init=False)
    closed: bool = field(default=False, init=False)

    @classmethod
    def launch(
        cls, job: Path, log: Path, *, timeout: float | None, environment: Mapping[str, str]
    ) -> WorkerProcess:
        """Start a worker on a job file."""
        (reading, writing), (ending, life) = os.pipe(), os.pipe()
        # Slurm sends its warning to every process of a job; it is for this one alone, and would
        # end a worker. What is blocked here stays so there.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                    [*COMMAND, str(job), str(writing), str(ending)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[writing, ending],
                    start_new_session=True,
                    env=dict(environment),
                )
        except BaseException:
            os.close(reading)
            os.close(life)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(writing)
            os.close(ending)
        os.set_blocking(reading, False)
        now = time.monotonic()
        deadline = now + (float("inf") if timeout is None else timeout)
        return cls(process, reading, life, log, timeout, deadline, now)

    def read_events(self) -> tuple[list[dict[str, Any]], bool]:
        """Return its new events, and whether it has ended or its time is over."""
        # Checked before reading, so that its last events are not missed.
        ended = self._ended() is not None
        said = self._read(to_the_end=ended)
        return said, ended or time.monotonic() >= self.deadline

    def end(self) -> End | None:
        """Return how it ended, once its events are read; None if by itself, in order."""
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

    @property
    def ended_in_order(self) -> bool:
        """Whether the worker ended by itself, in order; known once `kill` was called."""
        return self.process.returncode in (ExitCode.OK, ExitCode.CELLS_FAILED)

    def silent(self) -> End:
        """Return the end of a worker that ended in order but left no record."""
        return self._describe(Status.FAILED, "the worker ended without leaving a record")

    def interrupted(self) -> End:
        """Return the end of a worker that the user interrupted."""
        return End(Status.INTERRUPTED, Cause(type="interrupted", message="interrupted by the user"))

    def ask_to_end(self) -> None:
        """Send the process group a SIGTERM, unless its leader has ended."""
        if self._ended() is None:
            self._signal(signal.SIGTERM)

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
            os.close(self.life)

    def _read(self, *, to_the_end: bool) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        while not self.closed:
            try:
                block = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            self.closed = not block
            *lines, self._rest = (self._rest + block).split(b"\n")
            said += [json.loads(line) for line in lines]
            if not to_the_end:
                break
        return said

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


def wait_for_events(workers: Sequence[WorkerProcess]) -> None:
    """Wait until a worker reports something, or a moment."""
    # A pipe that is closed no longer waits; its process is about to end.
    pipes = [worker.pipe for worker in workers if not worker.closed]
    pause = min([_POLL_SECONDS, *(max(0.0, w.deadline - time.monotonic()) for w in workers)])
    if len(pipes) < len(workers):
        pause /= 10
    select.select(pipes, [], [], pause)
