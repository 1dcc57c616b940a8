"""The cheap part of a cell: metrics and latency of codes that are already stored."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from hashbench.core.codes import Codes
from hashbench.core.job import Job, LatencySetting
from hashbench.core.record import CodeFacts, FitRecord, LatencyEntry, MetricEntry
from hashbench.core.registry import Kind, Registry
from hashbench.evaluation.code_statistics import code_statistics
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.search.latency import measure_latency
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store

_ORDER_DIGITS = 8


def order_seed(fit: FitRecord) -> int:
    """The seed of the permutation behind ``ties=stable``: fixed by the protocol."""
    return int(fit.cell.data.protocol_sha256[:_ORDER_DIGITS], 16)


def evaluate_fit(job: Job, fit: FitRecord, encoded: EncodedSplit, store: Store) -> dict[str, Any]:
    """Compute the job's metrics and the codes' statistics on stored codes.

    Returns:
        The fields of an `EvaluationRecord`; per-query values and curves become its artifact.

    Raises:
        StoreError: If the artifact cannot be written.
    """
    began = time.perf_counter()
    values = evaluate(
        encoded.query,
        encoded.database,
        encoded.query_labels,
        encoded.database_labels,
        [parse_metric(name) for name in job.metrics],
        order_seed=order_seed(fit),
    )
    seconds = time.perf_counter() - began
    size = len(encoded.database)
    entries, arrays = {}, {}
    for name, found in values.items():
        cutoff = parse_metric(name).cutoff
        entries[name] = MetricEntry(
            value=found.value,
            queries=found.queries,
            without_relevant=found.without_relevant,
            cutoff_exceeds=size if cutoff is not None and cutoff > size else None,
        )
        if found.curve is None:
            arrays[name] = found.per_query
        else:
            arrays |= {f"{name}#{part}": curve for part, curve in found.curve.items()}
    arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
    artifact = store.write_arrays(fit.fit_id, "per-query", arrays, metadata={})
    return {
        "metrics": entries,
        "codes": _code_facts(encoded),
        "artifacts": {"per_query": artifact},
        "seconds": seconds,
    }


def _code_facts(encoded: EncodedSplit) -> dict[str, CodeFacts] | None:
    sides = {"query": encoded.query, "database": encoded.database}
    codes = {name: side for name, side in sides.items() if isinstance(side, Codes)}
    found = {name: CodeFacts(**asdict(code_statistics(side))) for name, side in codes.items()}
    return found or None


def measure_engines(job: Job, encoded: EncodedSplit, registry: Registry) -> dict[str, Any]:
    """Measure the job's engines on stored codes.

    Returns:
        The fields of a `LatencyRecord`.
    """
    return {"entries": [_measure(setting, encoded, registry) for setting in job.latency]}


def _measure(setting: LatencySetting, encoded: EncodedSplit, registry: Registry) -> LatencyEntry:
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        raise TypeError("search engines take codes, not embeddings")
    engine = registry.load(Kind.ENGINE, setting.engine)()
    result = measure_latency(
        engine, query, database, k=setting.k, batch=setting.batch, threads=setting.threads
    )
    return LatencyEntry(
        setting=setting,
        threads_used=result.threads,
        bits=database.bits,
        database=len(database),
        build_seconds=result.build_seconds,
        index_bytes=result.index_bytes,
        calls=result.samples,
        mean_ms=result.mean_ms,
        p50_ms=result.p50_ms,
        p95_ms=result.p95_ms,
        p99_ms=result.p99_ms,
        queries_per_second=result.queries_per_second,
        load_average=result.load_average,
    )
