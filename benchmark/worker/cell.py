"""One job of a worker: make all missing records of a cell, one after another."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import torch

from hashbench.core.canonical import canonical_json
from hashbench.core.cell import Determinism
from hashbench.core.environment import capture
from hashbench.core.errors import HashbenchError, LeaseLostError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.job import Job
from hashbench.core.record import (
    AnyRecord,
    Cause,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    Status,
    timestamp,
)
from hashbench.core.registry import Registry
from hashbench.core.sources import package_sha256, source_digests
from hashbench.methods.interface import DivergedError
from hashbench.store.catalogue import read_cell
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import Store
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import configure
from hashbench.worker.building import resolve_device
from hashbench.worker.events import Events
from hashbench.worker.measure import engine_sources, evaluate_fit, measure_engines
from hashbench.worker.termination import lease_of

_MADE_BY = "made-by.json"
_TRACEBACK_LINES = 12
_CPU_OOM = "DefaultCPUAllocator: can't allocate memory"  # torch has no class for it


class CellRun:
    """One job in this process.

    Raises:
        StoreError: If there is no such store.
    """

    def __init__(self, job: Job, registry: Registry, events: Events) -> None:
        self._job = job
        self._registry = registry
        self._events = events
        self._store = Store.open(job.store)
        self._device = resolve_device(job.device)
        configure(job.cell.determinism, threads=job.threads, precision=job.cell.precision)

    def run(self) -> bool:
        """Make the missing records; a failure becomes a record.

        Returns:
            Whether every part succeeded.

        Raises:
            StoreError: If the store cannot be written, so that no record can be kept.
        """
        fit = self._fit() if self._job.fit else read_cell(self._store, self._job.cell.fit_id).fit
        if fit is None or fit.status is not Status.OK:
            return False
        encoded = load_codes(self._store, fit)
        evaluated = self._evaluate(fit, encoded) if self._job.metrics else True
        measured = self._measure(fit, encoded) if self._job.latency else True
        return evaluated and measured

    def _fit(self) -> FitRecord:
        # Imported here because evaluating stored codes needs no training, whose libraries take
        # seconds to load.
        from hashbench.worker.fit import fit_cell

        sources = source_digests(self._job.cell, self._registry)
        checkpoints = self._usable_checkpoints(sources)
        fields = self._attempt(
            lambda: vars(
                fit_cell(
                    self._job, self._registry, self._store, device=self._device, events=self._events
                )
            ),
            sources,
            device=self._device.type,
        )
        record = self._write(FitRecord(cell=self._job.cell, **fields))
        if record.status is Status.OK:
            checkpoints.clear()
        return record

    def _usable_checkpoints(self, sources: dict[str, str]) -> Checkpoints:
        """The cell's checkpoints; those of other code, threads or kind of device are deleted."""
        cell = self._job.cell
        folder = self._store.work_folder(cell.fit_id)
        checkpoints, note = Checkpoints(folder), folder / _MADE_BY
        made_by = canonical_json(
            {
                "device": self._device.type,
                "sources": sources,
                # Another number of threads adds in another order, so that a resumed training would
                # equal no unbroken one.
                "threads": self._job.threads if cell.determinism is Determinism.STRICT else None,
            }
        )
        if not note.is_file() or note.read_bytes() != made_by:
            checkpoints.clear()
            write_atomically(note, made_by)
        return checkpoints

    def _evaluate(self, fit: FitRecord, encoded: EncodedSplit) -> bool:
        self._events.phase("evaluation")
        sources = {"evaluation": package_sha256("hashbench.evaluation")}
        fields = self._attempt(
            lambda: vars(evaluate_fit(self._job, fit, encoded, self._store)), sources
        )
        record = EvaluationRecord(fit_record=fit.record_id, **fields)
        return self._write(record).status is Status.OK

    def _measure(self, fit: FitRecord, encoded: EncodedSplit) -> bool:
        self._events.phase("latency")
        fields = self._attempt(
            lambda: {"entries": measure_engines(self._job.latency, encoded, self._registry)},
            engine_sources(self._job.latency, self._registry),
        )
        record = LatencyRecord(fit_record=fit.record_id, **fields)
        return self._write(record).status is Status.OK

    def _write(self, record: AnyRecord) -> AnyRecord:
        """Write a record, unless another run took the cell over while this process slept."""
        try:
            return self._store.write_record(record, lease=lease_of(self._job))
        except LeaseLostError as error:
            sys.exit(error.exit_code)

    def _attempt(
        self,
        work: Callable[[], Mapping[str, Any]],
        sources: dict[str, str],
        *,
        device: str = "cpu",
    ) -> dict[str, Any]:
        """Return the fields of a record: those that the work returns, or the cause of its failure.

        Metrics and engines run on the CPU, whatever the device of the training.
        """
        started = timestamp()
        environment = capture(device=device, threads=torch.get_num_threads())
        error: Cause | None = None
        status, fields = Status.OK, {}
        try:
            fields = dict(work())
        except StoreError:
            raise
        except Exception as problem:
            status, error = classify(problem)
        return {
            "fit_id": self._job.cell.fit_id,
            "status": status,
            "error": error,
            "environment": environment,
            "sources": sources,
            "started": started,
            "finished": timestamp(),
            **fields,
        }


def classify(error: BaseException) -> tuple[Status, Cause]:
    """Return the status of a record that an exception ended, and its cause in words.

    Errors meant for the user come without a traceback; all others with its last lines.
    """
    status = Status.FAILED
    if isinstance(error, DivergedError):
        status = Status.DIVERGED
    elif isinstance(error, MemoryError | torch.OutOfMemoryError) or _CPU_OOM in str(error):
        status = Status.OOM
    lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACEBACK_LINES:]
    expected = isinstance(error, HashbenchError | DivergedError)
    return status, Cause(
        type=type(error).__name__,
        message=str(error),
        traceback="" if expected else "\n".join(lines),
    )
