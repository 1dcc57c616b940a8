"""One worker at work on one cell, under a lease, and the record it leaves or is given."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hashbench.core.arithmetic import worker_environment
from hashbench.core.environment import Device, capture
from hashbench.core.errors import DamagedStoreError, ExitCode, LeaseLostError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.job import JOB, Job
from hashbench.core.record import EvaluationRecord, FitRecord, LatencyRecord, timestamp
from hashbench.run.plan import Planned
from hashbench.run.process import End, WorkerProcess
from hashbench.run.slots import Slot
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Lease
from hashbench.store.store import Store

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(slots=True)
class Attempt:
    """A running worker.

    Attributes:
        item: Its cell, as the store was when it was launched.
        job: The part of what is missing that it does.
        lease: Under which it does it.
        slot: Where it runs.
        worker: Its process.
        started: When it was launched, as records state it.
        phase: What it said last that it is doing.
    """

    item: Planned
    job: Job
    lease: Lease
    slot: Slot
    worker: WorkerProcess
    started: str = field(default_factory=timestamp)
    phase: str = ""

    @classmethod
    def launch(
        cls,
        item: Planned,
        job: Job,
        lease: Lease,
        slot: Slot,
        *,
        store: Store,
        timeout: float | None,
    ) -> Attempt:
        """Start a worker on a job.

        Raises:
            StoreError: If the job cannot be written.
        """
        job = replace(job, lease=lease.number, lease_period=lease.period)
        file = _job_file(store.work_folder(job.cell.fit_id), lease)
        write_atomically(file, JOB.dump_json(job))
        log = store.log_file(job.cell.fit_id)
        log.parent.mkdir(exist_ok=True)
        environment = {**worker_environment(job.cell), **_environment(slot, job.threads)}
        worker = WorkerProcess.launch(file, log, timeout=timeout, environment=environment)
        return cls(item, job, lease, slot, worker)

    def hear(self) -> tuple[list[dict[str, Any]], bool]:
        """What the worker said since it was last asked, with the cell's id; whether it is over.

        Raises:
            StoreError: If the worker said that the store cannot be used.
        """
        events, over = self.worker.hear()
        for event in events:
            self.phase = event.get("phase", self.phase)
            _raise_store_error(event)
        return [{"cell": self.job.cell.fit_id, **event} for event in events], over

    def close(self, store: Store) -> CellResults:
        """End what is left of the worker, and see that its end is on record.

        Raises:
            StoreError: If that cannot be written.
        """
        end = self.worker.end()
        self.worker.kill()
        _drop_if_empty(self.worker.log)
        found = read_cell(store, self.job.cell.fit_id)
        if end is None and found == self.item.results:
            end = self.worker.silent()
        if end is None:
            return found
        self.record(end, store)
        return read_cell(store, self.job.cell.fit_id)

    def interrupt(self, store: Store) -> None:
        """End the worker because the user wants the run to end, and record that.

        Raises:
            StoreError: If that cannot be written.
        """
        self.worker.kill()
        _drop_if_empty(self.worker.log)
        left_a_record = read_cell(store, self.job.cell.fit_id) != self.item.results
        if not (self.worker.ended_in_order and left_a_record):  # it had just finished
            self.record(self.worker.interrupted(), store)

    def record(self, end: End, store: Store) -> None:
        """Write the record that a dead worker could not write, if the cell is still ours.

        Raises:
            StoreError: If it cannot be written.
        """
        with suppress(LeaseLostError):
            record_end(
                self.item,
                self.job,
                store,
                end,
                started=self.started,
                phase=self.phase,
                lease=self.lease,
            )


def _job_file(folder: Path, lease: Lease) -> Path:
    """Where the job under a lease is written; those of past leases go.

    A worker that slept before it read its job must not read, as its own, that of the worker which
    has the cell now.
    """
    for past in folder.glob("job-*.json"):
        with suppress(OSError):
            past.unlink()
    return folder / f"job-{lease.number}.json"


def _environment(slot: Slot, threads: int) -> dict[str, str]:
    """What a worker must find set before it loads a library that computes."""
    # Torch is told itself; these are for the libraries beside it, which take all cores by default.
    fixed = dict.fromkeys(_THREADS, str(threads))
    return fixed if slot.gpu is None else {**fixed, "CUDA_VISIBLE_DEVICES": slot.gpu}


def _drop_if_empty(log: Path) -> None:
    if not log.stat().st_size:
        log.unlink()


def _raise_store_error(event: dict[str, Any]) -> None:
    if event["event"] == "store-error":
        damaged = event["code"] == ExitCode.STORE_DAMAGED
        raise (DamagedStoreError if damaged else StoreError)(event["message"])


def record_end(
    item: Planned,
    job: Job,
    store: Store,
    end: End,
    *,
    started: str,
    phase: str,
    lease: Lease | None = None,
) -> None:
    """Write the record that a dead worker could not write.

    Args:
        item: The cell, as the store was when the worker was launched.
        job: What the worker was to do.
        store: Where the record goes.
        end: How the worker ended.
        started: When it was launched, as records state it.
        phase: What it said last that it was doing; "" if it never said anything.
        lease: Under which it did it, if under any.

    Raises:
        LeaseLostError: If another run took the cell over.
        StoreError: If it cannot be written.
    """
    environment = capture(device="cpu", threads=job.threads)
    unknown = Device(kind="unknown", name="not measured: the worker ended early")
    found = read_cell(store, job.cell.fit_id)
    common: dict[str, Any] = {
        "fit_id": job.cell.fit_id,
        "status": end.status,
        "error": end.cause,
        "environment": environment.model_copy(update={"device": unknown}),
        "sources": {},
        "started": started,
        "finished": timestamp(),
    }
    again = job.fit and found.fit == item.results.fit  # a fit that was to be made once more
    if not found.fitted or found.fit is None or again:
        store.write_record(FitRecord(cell=job.cell, **common), lease=lease)
    elif phase == "latency":
        store.write_record(LatencyRecord(fit_record=found.fit.record_id, **common), lease=lease)
    else:
        record = EvaluationRecord(fit_record=found.fit.record_id, **common)
        store.write_record(record, lease=lease)
