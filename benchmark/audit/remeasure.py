"""Compute more metrics of stored codes, as new records."""

from __future__ import annotations

from collections.abc import Sequence

from hashbench.core.environment import capture
from hashbench.core.record import EvaluationRecord, FitRecord, Status, timestamp
from hashbench.core.sources import package_sha256
from hashbench.evaluation.entries import evaluate_entries
from hashbench.evaluation.names import parse_metric
from hashbench.store.catalogue import CellResults
from hashbench.store.codes import load_codes
from hashbench.store.store import Store


def missing_metrics(results: CellResults, names: Sequence[str]) -> tuple[str, ...]:
    """The wanted metrics that no record of a cell has yet.

    Args:
        results: The cell's records.
        names: Full or short names of the wanted metrics.

    Returns:
        Full names, each once, without metrics that are not defined for embeddings.

    Raises:
        ConfigError: If a name cannot be read.
    """
    on_codes = results.fit is not None and results.fit.cell.bits is not None
    have = results.metrics()
    wanted = dict.fromkeys(parse_metric(name) for name in names)
    return tuple(
        metric.name
        for metric in wanted
        if metric.name not in have and (on_codes or not metric.needs_codes)
    )


def evaluate_more(
    store: Store, fit: FitRecord, names: Sequence[str], *, threads: int = 1
) -> EvaluationRecord:
    """Compute metrics of a fit's stored codes, and write them as a new record.

    Args:
        store: The store of the fit and of the new record.
        fit: A successful fit.
        names: Full names; see `missing_metrics`.
        threads: Most threads to use; no value depends on them.

    Raises:
        DataError: If a metric leaves out every query.
        DamagedStoreError: If the codes differ from what was written.
        StoreError: If the record cannot be written.
    """
    started = timestamp()
    encoded = load_codes(store, fit)
    found = evaluate_entries(
        encoded.query,
        encoded.database,
        encoded.query_labels,
        encoded.database_labels,
        names,
        protocol_sha256=fit.cell.data.protocol_sha256,
        threads=threads,
    )
    artifact = store.write_arrays(fit.fit_id, "per-query", found.arrays, metadata={})
    record = EvaluationRecord(
        fit_id=fit.fit_id,
        fit_record=fit.record_id,
        status=Status.OK,
        environment=capture(device="cpu", threads=threads),
        sources={"evaluation": package_sha256("hashbench.evaluation")},
        started=started,
        finished=timestamp(),
        artifacts={"per_query": artifact},
        metrics=found.metrics,
        codes=found.codes,
        seconds=found.seconds,
    )
    return store.write_record(record)
