"""Metrics and latency of stored codes: the cheap part of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from hashbench.core.codes import Codes
from hashbench.core.job import Job, LatencySetting
from hashbench.core.record import Artifact, CodeFacts, FitRecord, LatencyEntry, MetricEntry
from hashbench.core.registry import Kind, Registry
from hashbench.core.sources import package_sha256
from hashbench.evaluation.entries import evaluate_entries
from hashbench.search.engine import IndexEngine
from hashbench.search.latency import LatencyResult, Workload, measure_engine
from hashbench.search.recall import ExactAnswers
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store
from hashbench.worker.building import resolve_device
from hashbench.worker.examples import example_answers


@dataclass(frozen=True)
class EvaluationResult:
    """The fields of a successful `EvaluationRecord` that come out of the work.

    Attributes:
        artifacts: ``per_query``: values and curves of every query; ``examples``: a few queries
            with their nearest images, if those are small.
    """

    metrics: Mapping[str, MetricEntry]
    codes: Mapping[str, CodeFacts] | None
    artifacts: Mapping[str, Artifact]
    seconds: float


def evaluate_fit(job: Job, fit: FitRecord, encoded: EncodedSplit, store: Store) -> EvaluationResult:
    """Compute the metrics of a job and the statistics of its stored codes.

    Raises:
        StoreError: If an artifact cannot be written.
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
    return EvaluationResult(found.metrics, found.codes, artifacts, found.seconds)


def measure_engines(
    settings: Sequence[LatencySetting], encoded: EncodedSplit, registry: Registry
) -> list[LatencyEntry]:
    """Measure engines on stored codes, building each index once for all its settings.

    Returns:
        One entry a setting, in the order of the settings.
    """
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        raise TypeError("search engines take codes, not embeddings")
    exact = ExactAnswers(query, database)
    exact.prepare(max(setting.k for setting in settings))
    measured: dict[LatencySetting, LatencyEntry] = {}
    for group in settings_by_index(settings):
        results = measure_engine(
            build_engine(group[0], registry),
            query,
            database,
            query_plans(group),
            threads=group[0].threads,
            exact=exact,
        )
        for setting, result in zip(group, results, strict=True):
            measured[setting] = latency_entry(setting, result)
    return [measured[setting] for setting in settings]


def settings_by_index(settings: Sequence[LatencySetting]) -> list[list[LatencySetting]]:
    """Group the settings that share an index, in the order of the first setting of each."""
    groups: dict[str, list[LatencySetting]] = {}
    for setting in settings:
        index = repr((setting.engine, sorted(setting.params.items()), setting.threads))
        groups.setdefault(index, []).append(setting)
    return list(groups.values())


def build_engine(setting: LatencySetting, registry: Registry) -> IndexEngine:
    """Return the engine of a setting with its parameters, without an index."""
    cls = registry.load(Kind.ENGINE, setting.engine)
    engine: IndexEngine = cls(cls.Params(**setting.params))
    return engine


def query_plans(settings: Iterable[LatencySetting]) -> list[Workload]:
    """Return how the engine is queried in each setting."""
    return [Workload(each.k, each.batch, each.samples, each.seconds) for each in settings]


def engine_sources(settings: Iterable[LatencySetting], registry: Registry) -> dict[str, str]:
    """Return digests of the code of all engines in some settings, and of what they share."""
    names = sorted({setting.engine for setting in settings})
    sources = {f"engines/{n}": registry.get(Kind.ENGINE, n).source_sha256() for n in names}
    return {**sources, "search": package_sha256("hashbench.search")}


def latency_entry(
    setting: LatencySetting, result: LatencyResult, *, resampled_from: int | None = None
) -> LatencyEntry:
    """Return a measurement in the form of a record."""
    taken = asdict(result)
    kept = {key: taken[key] for key in taken.keys() & LatencyEntry.model_fields.keys()}
    return LatencyEntry(
        setting=setting,
        threads_used=result.threads,
        calls=result.samples,
        resampled_from=resampled_from,
        **kept,
    )
