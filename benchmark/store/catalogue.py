"""Collect the records of each cell: the newest successful ones, and the last failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hashbench.core.record import (
    CodeFacts,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    MetricEntry,
    Status,
)
from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class CellResults:
    """The current records of one cell.

    Attributes:
        fit_id: Id of the cell.
        fit: The newest successful fit, or else the newest fit of any status; None without any.
        evaluations: Successful evaluations of that fit.
        latencies: Successful latency measurements of that fit.
        failures: The newest evaluation, latency measurement and repeated fit, each if it failed.
    """

    fit_id: str
    fit: FitRecord | None = None
    evaluations: tuple[EvaluationRecord, ...] = ()
    latencies: tuple[LatencyRecord, ...] = ()
    failures: tuple[FitRecord | EvaluationRecord | LatencyRecord, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether the fit was successful, so that there are codes."""
        return self.fit is not None and self.fit.status is Status.OK

    def metrics(self) -> dict[str, tuple[MetricEntry, EvaluationRecord]]:
        """Every metric with its record, by full name; of several values the newest."""
        return {
            name: (entry, record)
            for record in self.evaluations
            for name, entry in record.metrics.items()
        }

    def codes(self) -> tuple[dict[str, CodeFacts], EvaluationRecord] | None:
        """The newest statistics of the codes of each side, with their record; None without any."""
        known = [(record.codes, record) for record in self.evaluations if record.codes]
        return known[-1] if known else None


def read_cell(store: Store, fit_id: str) -> CellResults:
    """Collect the records of one cell.

    Raises:
        DamagedStoreError: If one of its records is damaged.
    """
    records = list(store.records(fit_id))
    fits = [r for r in records if isinstance(r, FitRecord)]
    good = [r for r in fits if r.status is Status.OK]
    if not good:
        return CellResults(fit_id, fits[-1] if fits else None)
    fit = good[-1]
    later = [
        r
        for r in records
        if isinstance(r, EvaluationRecord | LatencyRecord) and r.fit_record == fit.record_id
    ]
    return CellResults(
        fit_id,
        fit,
        tuple(r for r in later if isinstance(r, EvaluationRecord) and r.status is Status.OK),
        tuple(r for r in later if isinstance(r, LatencyRecord) and r.status is Status.OK),
        tuple(r for r in [*fits[-1:], *_newest_of_each_kind(later)] if r.status is not Status.OK),
    )


def _newest_of_each_kind(
    records: Sequence[EvaluationRecord | LatencyRecord],
) -> list[EvaluationRecord | LatencyRecord]:
    """The newest record of each kind; a failure before a later success does not count."""
    return list({record.kind: record for record in records}.values())


def read_all(store: Store) -> list[CellResults]:
    """Collect the records of every cell of a store; see `read_cell`."""
    return [read_cell(store, fit_id) for fit_id in store.fit_ids()]
