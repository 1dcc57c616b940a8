"""Cells on this machine, one after another, each in a process group of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import Any, Protocol

from hashbench.core.environment import Device, capture
from hashbench.core.errors import DamagedStoreError, ExitCode, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.job import JOB
from hashbench.core.record import EvaluationRecord, FitRecord, LatencyRecord, timestamp
from hashbench.execute.plan import Planned
from hashbench.execute.process import End, WorkerProcess
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store


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
        found = _run_cell(item, store, timeout=timeout, observer=observer)
        observer.finished(item, found, time.perf_counter() - began)
        results.append(found)
    return results


def _run_cell(
    item: Planned, store: Store, *, timeout: float | None, observer: Observer
) -> CellResults:
    folder = store.work_folder(item.cell.fit_id)
    job, started, phase = folder / "job.json", timestamp(), ""
    write_atomically(job, JOB.dump_json(item.job))
    worker = WorkerProcess.launch(job, folder / "log.txt", timeout=timeout)
    try:
        for event in worker.events():
            phase = event.get("phase", phase)
            _raise_store_error(event)
            observer.heard(event)
        end = worker.end()
    except KeyboardInterrupt:
        worker.kill()
        _record_end(item, store, worker.interrupted(), started=started, phase=phase)
        raise
    except BaseException:
        worker.kill()
        raise
    worker.kill()
    if end is None and read_cell(store, item.cell.fit_id) == item.results:
        end = worker.silent()
    if end:
        _record_end(item, store, end, started=started, phase=phase)
    found = read_cell(store, item.cell.fit_id)
    if found.fitted:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _raise_store_error(event: dict[str, Any]) -> None:
    if event["event"] == "store-error":
        damaged = event["code"] == ExitCode.STORE_DAMAGED
        raise (DamagedStoreError if damaged else StoreError)(event["message"])


def _record_end(item: Planned, store: Store, end: End, *, started: str, phase: str) -> None:
    """Write the record that a dead worker could not write."""
    environment = capture(device="cpu", threads=item.job.threads)
    unknown = Device(kind="unknown", name="not measured: the worker ended early")
    found = read_cell(store, item.cell.fit_id)
    common: dict[str, Any] = {
        "fit_id": item.cell.fit_id,
        "status": end.status,
        "error": end.cause,
        "environment": environment.model_copy(update={"device": unknown}),
        "sources": {},
        "started": started,
        "finished": timestamp(),
    }
    again = item.job.fit and found.fit == item.results.fit  # a fit that was to be made once more
    if not found.fitted or found.fit is None or again:
        store.write_record(FitRecord(cell=item.cell, **common))
    elif phase == "latency":
        store.write_record(LatencyRecord(fit_record=found.fit.record_id, **common))
    else:
        store.write_record(EvaluationRecord(fit_record=found.fit.record_id, **common))
