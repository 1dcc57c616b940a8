"""All of a cell's missing records, made one after another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from hashbench.core.canonical import canonical_json
from hashbench.core.cell import Determinism
from hashbench.core.environment import capture
from hashbench.core.errors import LeaseLostError, StoreError
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
from hashbench.core.registry import Kind, Registry
from hashbench.core.sources import package_sha256, source_digests
from hashbench.store.catalogue import read_cell
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import Store
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import configure
from hashbench.worker.building import resolve_device
from hashbench.worker.events import Events
from hashbench.worker.failure import classify
from hashbench.worker.lifeline import lease_of
from hashbench.worker.measure import evaluate_fit, measure_engines

_MADE_BY = "made-by.json"


class CellRun:
    """One job in this process.

    Args:
        job: The cell and what is missing of it.
        registry: Where its components are looked up.
        events: Who hears of progress.

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
        """Do what is missing; a failure becomes a record.

        Returns:
            Whether all went well.

        Raises:
            StoreError: If the store cannot be written: then nothing can be kept.
        """
        fit = self._fit() if self._job.fit else read_cell(self._store, self._job.cell.fit_id).fit
        if fit is None or fit.status is not Status.OK:
            return False
        encoded = load_codes(self._store, fit)
        done = [
            self._evaluate(fit, encoded) if self._job.metrics else True,
            self._measure(fit, encoded) if self._job.latency else True,
        ]
        return all(done)

    def _fit(self) -> FitRecord:
        # Measuring what is there needs nothing of training, whose libraries load for seconds.
        from hashbench.worker.fit import fit_cell

        cell = self._job.cell
        sources = source_digests(cell, self._registry)
        checkpoints = self._usable_checkpoints(sources)
        fields = self._attempt(
            lambda: fit_cell(
                self._job, self._registry, self._store, device=self._device, events=self._events
            ),
            sources,
            device=self._device.type,
        )
        record = self._write(FitRecord(cell=cell, **fields))
        if record.status is Status.OK:
            checkpoints.clear()
        return record

    def _usable_checkpoints(self, sources: dict[str, str]) -> Checkpoints:
        """The cell's checkpoints, dropped if other code, threads or kind of device made them."""
        cell = self._job.cell
        folder = self._store.work_folder(cell.fit_id)
        checkpoints, note = Checkpoints(folder), folder / _MADE_BY
        made_by = canonical_json(
            {
                "device": self._device.type,
                "sources": sources,
                # Sums come in another order with other threads: half of each would be neither.
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
        fields = self._attempt(lambda: evaluate_fit(self._job, fit, encoded, self._store), sources)
        record = EvaluationRecord(fit_record=fit.record_id, **fields)
        return self._write(record).status is Status.OK

    def _measure(self, fit: FitRecord, encoded: EncodedSplit) -> bool:
        self._events.phase("latency")
        names = sorted({setting.engine for setting in self._job.latency})
        engines = [self._registry.get(Kind.ENGINE, name) for name in names]
        sources = {f"engines/{entry.name}": entry.source_sha256() for entry in engines}
        sources["search"] = package_sha256("hashbench.search")
        fields = self._attempt(lambda: measure_engines(self._job, encoded, self._registry), sources)
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
        work: Callable[[], dict[str, Any]],
        sources: dict[str, str],
        *,
        device: str = "cpu",
    ) -> dict[str, Any]:
        """Do some work; its fields, or the cause of its failure, with what every record states.

        Args:
            work: Gives the record's own fields.
            sources: Digests of the code that does it.
            device: Where it is done: metrics and engines run on the CPU, wherever training does.
        """
        started = timestamp()
        environment = capture(device=device, threads=torch.get_num_threads())
        error: Cause | None = None
        status, fields = Status.OK, {}
        try:
            fields = work()
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
