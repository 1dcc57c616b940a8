"""Cells on this machine, one after another, each in a process group of its own."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hashbench.core.environment import Device, capture
from hashbench.core.errors import ExitCode, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.job import JOB
from hashbench.core.record import Cause, EvaluationRecord, FitRecord, Status, timestamp
from hashbench.execute.plan import Planned
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

_GRACE_SECONDS = 10.0
_LOG_LINES = 5
_EXPECTED = (ExitCode.OK, ExitCode.CELLS_FAILED)


class Observer(Protocol):
    """Who is told how the run goes."""

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        ...

    def heard(self, event: dict[str, Any]) -> None:
        """The running worker said something."""
        ...

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell's process ended; its results are in the store."""
        ...


@dataclass(frozen=True, slots=True)
class _End:
    """How a worker ended when it did not end by itself."""

    status: Status
    message: str


def run_cells(
    planned: Sequence[Planned], store: Store, *, timeout: float | None, observer: Observer
) -> list[CellResults]:
    """Run the cells in order.

    Args:
        planned: Cells with something missing.
        store: Where records go.
        timeout: Seconds after which a cell's process group is killed.
        observer: Hears of progress.

    Returns:
        What the store has of each cell afterwards.

    Raises:
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C, after the running worker was ended and recorded.
    """
    results = []
    for position, item in enumerate(planned, start=1):
        observer.started(item, position, len(planned))
        began = time.perf_counter()
        _run_cell(item, store, timeout=timeout, observer=observer)
        found = read_cell(store, item.cell.fit_id)
        observer.finished(item, found, time.perf_counter() - began)
        results.append(found)
    return results


def _run_cell(item: Planned, store: Store, *, timeout: float | None, observer: Observer) -> None:
    folder = store.work_folder(item.cell.fit_id)
    started = timestamp()
    worker = _Worker.launch(item, folder)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        for event in worker.events(deadline):
            if event.get("event") == "store-error":
                raise StoreError(event["message"])
            observer.heard(event)
        end = worker.end(deadline)
    except KeyboardInterrupt:
        _record_end(item, store, _End(Status.INTERRUPTED, "interrupted by the user"), started)
        raise
    finally:
        worker.kill()
    if end:
        _record_end(item, store, end, started)


@dataclass(frozen=True, slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: int
    log: Path

    @classmethod
    def launch(cls, item: Planned, folder: Path) -> _Worker:
        job = folder / "job.json"
        write_atomically(job, JOB.dump_json(item.job))
        reading, writing = os.pipe()
        log = folder / "log.txt"
        command = [sys.executable, "-m", "hashbench.worker", str(job), str(writing)]
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[writing],
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        return cls(process, reading, log)

    def events(self, deadline: float | None) -> Iterator[dict[str, Any]]:
        """What the worker says, until it closes the pipe or the deadline passes."""
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.pipe, selectors.EVENT_READ)
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not selector.select(left):
                    return
                block = os.read(self.pipe, 65536)
                if not block:
                    return
                *lines, rest = (rest + block).split(b"\n")
                yield from (json.loads(line) for line in lines)

    def end(self, deadline: float | None) -> _End | None:
        """Wait for the process; how it ended if it wrote no record itself."""
        if deadline is not None and time.monotonic() >= deadline:
            return _End(Status.TIMEOUT, "took longer than execute.timeout allows")
        code = self.process.wait()
        if code in _EXPECTED:
            return None
        last = " | ".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return _End(
            Status.KILLED if code < 0 else Status.FAILED, f"the worker ended by {how}: {last}"
        )

    def kill(self) -> None:
        """End the whole process group, politely first."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signum)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(_GRACE_SECONDS)
        os.close(self.pipe)


def _record_end(item: Planned, store: Store, end: _End, started: str) -> None:
    """Write the record that a dead worker could not write."""
    environment = capture(device="cpu", threads=item.job.threads)
    unknown = Device(kind=item.job.device, name="not measured: the worker ended early")
    found = read_cell(store, item.cell.fit_id)
    common: dict[str, Any] = {
        "fit_id": item.cell.fit_id,
        "status": end.status,
        "error": Cause(type=end.status.value, message=end.message),
        "environment": environment.model_copy(update={"device": unknown}),
        "sources": {},
        "started": started,
        "finished": timestamp(),
    }
    if found.fitted and found.fit:
        store.write_record(EvaluationRecord(fit_record=found.fit.record_id, **common))
    else:
        store.write_record(FitRecord(cell=item.cell, **common))
