"""The cheap part of a cell: metrics and latency of codes that are already stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from hashbench.core.codes import Codes
from hashbench.core.job import Job, LatencySetting
from hashbench.core.record import FitRecord, LatencyEntry
from hashbench.core.registry import Kind, Registry
from hashbench.evaluation.entries import evaluate_entries
from hashbench.search.engine import IndexEngine
from hashbench.search.latency import Ask, LatencyResult, measure_engine
from hashbench.search.recall import ExactAnswers
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store
from hashbench.worker.building import resolve_device
from hashbench.worker.examples import example_answers


def evaluate_fit(job: Job, fit: FitRecord, encoded: EncodedSplit, store: Store) -> dict[str, Any]:
    """Compute the job's metrics and the codes' statistics on stored codes.

    Returns:
        The fields of an `EvaluationRecord`; per-query values and curves become its artifact, and
        so do a few queries with their nearest images, where those are small.

    Raises:
        StoreError: If the artifact cannot be written.
    """
    found = evaluate_entries(
        encoded.query,
        encoded.database,
        encoded.query_labels,
        encoded.database_labels,
        job.metrics,
        protocol_sha256=fit.cell.data.protocol_sha256,
        threads=job.threads,
        device=resolve_device(job.device).type,
    )
    artifacts = {
        "per_query": store.write_arrays(fit.fit_id, "per-query", found.arrays, metadata={})
    }
    if examples := example_answers(job, fit, encoded):
        artifacts["examples"] = store.write_arrays(fit.fit_id, "examples", examples, metadata={})
    return {
        "metrics": found.metrics,
        "codes": found.codes,
        "artifacts": artifacts,
        "seconds": found.seconds,
    }


def measure_engines(job: Job, encoded: EncodedSplit, registry: Registry) -> dict[str, Any]:
    """Measure the job's engines on stored codes, building each index once for all its settings.

    Returns:
        The fields of a `LatencyRecord`.
    """
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        raise TypeError("search engines take codes, not embeddings")
    exact = ExactAnswers(query, database)
    exact.prepare(max(setting.k for setting in job.latency))
    measured: dict[LatencySetting, LatencyEntry] = {}
    for group in settings_by_index(job.latency):
        engine = build_engine(group[0], registry)
        for setting, result in zip(
            group, measure_group(engine, query, database, group, exact=exact), strict=True
        ):
            measured[setting] = latency_entry(setting, result)
    return {"entries": [measured[setting] for setting in job.latency]}


def settings_by_index(settings: Sequence[LatencySetting]) -> list[list[LatencySetting]]:
    """Settings that one index serves, together, in the order of the first of each."""
    groups: list[list[LatencySetting]] = []
    for setting in settings:
        same = (group for group in groups if _index_of(group[0]) == _index_of(setting))
        found = next(same, None)
        if found is None:
            groups.append([setting])
        else:
            found.append(setting)
    return groups


def _index_of(setting: LatencySetting) -> tuple[Any, ...]:
    return setting.engine, setting.params, setting.threads


def build_engine(setting: LatencySetting, registry: Registry) -> IndexEngine:
    """The setting's engine with its parameters, nothing built yet."""
    cls = registry.load(Kind.ENGINE, setting.engine)
    engine: IndexEngine = cls(cls.Params(**setting.params))
    return engine


def measure_group(
    engine: IndexEngine,
    query: Codes,
    database: Codes,
    group: Sequence[LatencySetting],
    *,
    exact: ExactAnswers | None,
) -> Iterator[LatencyResult]:
    """Measure an engine in settings that one index serves; see `measure_engine`."""
    asked = [Ask(each.k, each.batch, each.samples, each.seconds) for each in group]
    return measure_engine(engine, query, database, asked, threads=group[0].threads, exact=exact)


def latency_entry(
    setting: LatencySetting, result: LatencyResult, *, resampled_from: int | None = None
) -> LatencyEntry:
    """A measurement as a record keeps it."""
    taken = asdict(result)
    kept = {key: taken[key] for key in taken.keys() & LatencyEntry.model_fields.keys()}
    return LatencyEntry(
        setting=setting,
        threads_used=result.threads,
        calls=result.samples,
        resampled_from=resampled_from,
        **kept,
    )
