"""A trial in a process of its own, ended when its index takes too long or too much memory."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

COMMAND = (sys.executable, "-m", "hashbench.search.trial")
_POLL_SECONDS = 0.05
_GIBIBYTE = 2**30


class SkippedError(Exception):
    """A trial that was given up; the message says why."""


def run_trial(trial: Path, *, max_build: float, max_memory: int) -> Iterator[dict[str, Any]]:
    """Run a trial; see `hashbench.search.trial`.

    Args:
        trial: The trial as JSON.
        max_build: Seconds that building the index may take.
        max_memory: Bytes that may be resident in the process: codes, index and interpreter.

    Yields:
        The fields of a `LatencyResult` for each setting, as soon as it is there.

    Raises:
        SkippedError: If a limit is passed or the engine fails.
    """
    with subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*COMMAND, str(trial)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # It is killed in the end; what an engine leaves then goes with the trial's own folder.
        env={**os.environ, "TMPDIR": str(trial.parent.resolve())},
    ) as process:
        try:
            yield from _results(process, max_build=max_build, max_memory=max_memory)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _results(
    process: subprocess.Popen[bytes], *, max_build: float, max_memory: int
) -> Iterator[dict[str, Any]]:
    building: float | None = None
    for event in _events(process, max_memory=max_memory):
        if event["event"] == "measured":
            yield event["result"]
        elif event["event"] == "failed":
            raise SkippedError(event["why"])
        elif event["event"] == "building":
            building = time.monotonic()
        elif event["event"] == "built":
            building = None
        if building is not None and time.monotonic() - building > max_build:
            raise SkippedError(f"building took longer than {max_build:g} s")
    if process.wait():
        raise SkippedError(f"its process ended with code {process.returncode}")


def _events(process: subprocess.Popen[bytes], *, max_memory: int) -> Iterator[dict[str, Any]]:
    """What the process says, and ``waiting`` in between, until its output ends."""
    assert process.stdout  # noqa: S101 - it was asked for
    pipe: IO[bytes] = process.stdout
    rest = b""
    while True:
        if resident_bytes(process.pid) > max_memory:
            limit = max_memory / _GIBIBYTE
            raise SkippedError(f"its process took more than {limit:g} GiB of memory")
        if not select.select([pipe], [], [], _POLL_SECONDS)[0]:
            yield {"event": "waiting"}
            continue
        block = os.read(pipe.fileno(), 1 << 16)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        yield from (json.loads(line) for line in lines)


def resident_bytes(process: int) -> int:
    """Bytes of a process in main memory; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()
