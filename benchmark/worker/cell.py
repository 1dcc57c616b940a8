"""All of a cell's missing records, made one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hashbench.core.environment import capture
from hashbench.core.errors import StoreError
from hashbench.core.job import Job
from hashbench.core.record import (
    Cause,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    Status,
    timestamp,
)
from hashbench.core.registry import Registry
from hashbench.core.sources import package_sha256, source_digests
from hashbench.store.catalogue import read_cell
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import Store
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import configure
from hashbench.worker.building import resolve_device
from hashbench.worker.events import Events
from hashbench.worker.failure import classify
from hashbench.worker.fit import fit_cell
from hashbench.worker.measure import evaluate_fit, measure_engines


class CellRun:
    """One job in this process.

    Args:
        job: The cell and what is missing of it.
        registry: Where its components are looked up.
        events: Who hears of progress.
    """

    def __init__(self, job: Job, registry: Registry, events: Events) -> None:
        self._job = job
        self._registry = registry
        self._events = events
        self._store = Store.open(job.store)
        self._device = resolve_device(job.device)
        configure(job.cell.determinism, threads=job.threads)

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
        cell = self._job.cell
        sources = source_digests(cell, self._registry)
        fields = self._attempt(
            lambda: fit_cell(
                self._job, self._registry, self._store, device=self._device, events=self._events
            ),
            sources,
        )
        record = self._store.write_record(FitRecord(cell=cell, **fields))
        if record.status is Status.OK:
            Checkpoints(self._store.work_folder(cell.fit_id)).clear()
        return record

    def _evaluate(self, fit: FitRecord, encoded: EncodedSplit) -> bool:
        self._events.phase("evaluate")
        sources = {"evaluation": package_sha256("hashbench.evaluation")}
        fields = self._attempt(lambda: evaluate_fit(self._job, fit, encoded, self._store), sources)
        record = EvaluationRecord(fit_record=fit.record_id, **fields)
        return self._store.write_record(record).status is Status.OK

    def _measure(self, fit: FitRecord, encoded: EncodedSplit) -> bool:
        self._events.phase("latency")
        sources = {"search": package_sha256("hashbench.search")}
        fields = self._attempt(lambda: measure_engines(self._job, encoded, self._registry), sources)
        record = LatencyRecord(fit_record=fit.record_id, **fields)
        return self._store.write_record(record).status is Status.OK

    def _attempt(
        self, work: Callable[[], dict[str, Any]], sources: dict[str, str]
    ) -> dict[str, Any]:
        """Do some work; its fields, or the cause of its failure, with what every record states."""
        started = timestamp()
        environment = capture(device=self._device.type, threads=self._job.threads)
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
