"""Running a trial in a process of its own, with limits on its build time and memory."""

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
    """A trial that was stopped; the message says why."""


def run_trial(trial: Path, *, max_build: float, max_memory: int) -> Iterator[dict[str, Any]]:
    """Run a trial in a new process; see `hashbench.search.trial`.

    Args:
        trial: The file that describes the trial, as JSON.
        max_build: Limit on the seconds to build the index.
        max_memory: Limit on the resident bytes of the process: codes, index and interpreter.

    Yields:
        The fields of a `LatencyResult` for each workload, as soon as it is measured.

    Raises:
        SkippedError: If a limit is exceeded or the engine fails.
    """
    with subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*COMMAND, str(trial)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # It is killed in the end; temporary files of the engine go with the trial's own folder.
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
    """Yield the events of the process, and ``waiting`` in between, until its output ends."""
    assert process.stdout  # noqa: S101 - it was opened above
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
    """Read how many bytes of a process are in main memory; 0 after its end."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()
