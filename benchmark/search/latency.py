"""Timing searches: build an index once, warm it up, search in batches, and keep every sample."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError
from hashbench.search.engine import IndexEngine, check_build, check_query
from hashbench.search.recall import ExactAnswers

WARMUP_SECONDS = 0.05

_MS = 1e3
_SAMPLES_BEYOND = 10  # a percentile is stated only if about so many samples lie above it


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of search to time.

    Attributes:
        k: Neighbours a query; all of the database where k is above it.
        batch: Queries a call.
        samples: Timed calls wanted; a 99th percentile needs 1,000.
        seconds: Time limit for them.
    """

    k: int
    batch: int = 1
    samples: int = 1000
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Search time of one engine in one setting, without the time to encode queries.

    A sample is the time of one call of ``search`` divided by its batch, so at a batch above 1 it is
    a query's share of the call; the wait for its answer is ``batch`` times as long.

    Attributes:
        k: Neighbours a query.
        batch: Queries a call.
        threads: Threads the engine really uses.
        threads_asked: Threads requested; a single-threaded engine uses one.
        bits: Code length.
        database: Codes in the index.
        build_seconds: Wall seconds of building the index, once.
        index_bytes: Bytes of the index.
        warmup_seconds: Wall seconds of untimed searches before the first sample.
        samples: Timed calls.
        p50_ms: Median milliseconds a query; None where there are too few samples (20).
        p95_ms: 95th percentile; None with fewer than 200 samples.
        p99_ms: 99th percentile; None with fewer than 1,000 samples.
        mean_ms: Mean milliseconds a query over all samples.
        queries_per_second: Queries answered in a second of the timed calls.
        load_average: The machine's one-minute load average before the build.
        p999_ms: 99.9th percentile; None with fewer than 10,000 samples.
        recall: Share of the exact answer that is found; see `ExactAnswers`. None if not measured.
        recall_queries: Queries that recall is a mean over.
        facts: Values that the engine chose for parameters left to it.
    """

    k: int
    batch: int
    threads: int
    threads_asked: int
    bits: int
    database: int
    build_seconds: float
    index_bytes: int
    warmup_seconds: float
    samples: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    mean_ms: float
    queries_per_second: float
    load_average: float
    p999_ms: float | None = None
    recall: float | None = None
    recall_queries: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def measure_engine(
    engine: IndexEngine,
    query: Codes,
    database: Codes,
    workloads: Sequence[Workload],
    *,
    threads: int = 1,
    warmup_seconds: float = WARMUP_SECONDS,
    exact: ExactAnswers | None = None,
    on_built: Callable[[], None] = lambda: None,
) -> Iterator[LatencyResult]:
    """Build an index once and time several kinds of search in it, one after another.

    The sampling of each workload ends after its ``samples`` calls or its ``seconds``, whichever
    comes first, and takes at least one sample. The queries are used in order, again and again.

    Args:
        engine: The engine; its previous index is replaced.
        query: Codes of the queries.
        database: Codes to index.
        workloads: The kinds of search.
        threads: Threads to pin, for building too; an engine that has only one uses one.
        warmup_seconds: Time of untimed searches before each workload; one call at least.
        exact: The exact answers to these queries in this database, for recall; None for no recall.
        on_built: Called once the index is built.

    Yields:
        A measurement for each workload, in order, as soon as it is done.

    Raises:
        ConfigError: If a setting is out of range, the engine's library is missing, or it refuses
            such codes.
        DataError: If there are no queries or no database, or their code lengths differ.
    """
    for each in workloads:
        _check_settings(
            {"k": each.k, "batch": each.batch, "threads": threads, "samples": each.samples}
        )
    check_build(engine, database)
    check_query(query, 1, bits=database.bits)
    load = os.getloadavg()[0]
    with engine.pinned_threads(threads) as threads_used:
        build_seconds = _seconds(partial(engine.build, database))
        on_built()
        shared: dict[str, Any] = {
            "threads": threads_used,
            "threads_asked": threads,
            "bits": database.bits,
            "database": len(database),
            "build_seconds": build_seconds,
            "index_bytes": engine.bytes,
            "load_average": load,
            "facts": dict(engine.facts),
        }
        for each in workloads:
            timed = _time(engine, query, each, warmup_seconds=warmup_seconds)
            yield LatencyResult(**shared, **timed, **_recall(engine, exact, each.k))


def _time(
    engine: IndexEngine, query: Codes, load: Workload, *, warmup_seconds: float
) -> dict[str, Any]:
    calls = cycle(_batches(query, load.batch, at_most=load.samples))
    warmed = _warm_up(engine, calls, k=load.k, seconds=warmup_seconds)
    taken = _sample(engine, calls, k=load.k, count=load.samples, seconds=load.seconds)
    per_query = taken * _MS / load.batch
    return {
        "k": load.k,
        "batch": load.batch,
        "warmup_seconds": warmed,
        "samples": len(taken),
        "p50_ms": percentile(per_query, 0.5),
        "p95_ms": percentile(per_query, 0.95),
        "p99_ms": percentile(per_query, 0.99),
        "p999_ms": percentile(per_query, 0.999),
        "mean_ms": float(per_query.mean()),
        "queries_per_second": load.batch * len(taken) / float(taken.sum()),
    }


def _recall(engine: IndexEngine, exact: ExactAnswers | None, k: int) -> dict[str, Any]:
    if exact is None:
        return {}
    found = engine.search(exact.query, k)
    return {"recall": exact.recall(found, k), "recall_queries": len(exact.query)}


def percentile(samples: NDArray[np.float64], share: float) -> float | None:
    """Find the smallest sample that at least a share of all samples does not exceed.

    Args:
        samples: (n,).
        share: Below 1, e.g. 0.99.

    Returns:
        The sample, or None if there are fewer than 10 / (1 - share) of them.
    """
    if len(samples) < round(_SAMPLES_BEYOND / (1 - share)):
        return None
    return float(np.quantile(samples, share, method="inverted_cdf"))


def _check_settings(settings: Mapping[str, int]) -> None:
    problems = [f"{key}: must be at least 1, got {n}" for key, n in settings.items() if n < 1]
    if problems:
        raise ConfigError(*problems)


def _batches(query: Codes, batch: int, *, at_most: int) -> list[Codes]:
    """Cut the queries into full batches, starting over where they run out."""
    count = min(at_most, -(-len(query) // batch))
    positions = (np.arange(count * batch) % len(query)).reshape(count, batch)
    return [Codes(query.packed[rows], query.bits) for rows in positions]


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _warm_up(engine: IndexEngine, calls: Iterator[Codes], *, k: int, seconds: float) -> float:
    start = time.perf_counter()
    while True:
        engine.search(next(calls), k)
        spent = time.perf_counter() - start
        if spent >= seconds:
            return spent


def _sample(
    engine: IndexEngine, calls: Iterator[Codes], *, k: int, count: int, seconds: float
) -> NDArray[np.float64]:
    """Time single calls, at least one, in wall seconds."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or (len(taken) < count and time.perf_counter() < end):
        taken.append(_seconds(partial(engine.search, next(calls), k)))
    return np.array(taken)
