"""What a query costs: build once, warm up, search in batches, keep every sample."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.search.engine import IndexEngine

_MS = 1e3
_SAMPLES_BEYOND = 10  # a percentile is stated only if about so many samples lie above it


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Search time of one engine in one setting; encoding the query is not in it.

    A sample is one call of ``search`` divided by its batch, so at a batch above 1 it is a query's
    share of the call, not the wait for its answer (that is ``batch`` times as long).

    Attributes:
        k: Neighbours asked for.
        batch: Queries a call.
        threads: Threads the engine really uses.
        threads_asked: Threads asked for; an engine of one thread uses fewer.
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


def measure_latency(
    engine: IndexEngine,
    query: Codes,
    database: Codes,
    *,
    k: int,
    batch: int = 1,
    threads: int = 1,
    warmup_seconds: float = 0.05,
    min_samples: int = 1000,
    max_seconds: float = 3.0,
) -> LatencyResult:
    """Build an index and time searches in it.

    Sampling ends at ``min_samples`` calls or after ``max_seconds``, whichever is first, and takes
    one sample at least. The queries are gone through in order, over and over.

    Args:
        engine: The engine; what it had built is replaced.
        query: Codes of the queries.
        database: Codes to index.
        k: Neighbours a query; all of the database where k is above it.
        batch: Queries a call.
        threads: Threads to pin; an engine that has only one uses one and says so.
        warmup_seconds: Time of untimed searches first; one call at least.
        min_samples: Samples wanted; 1,000 are what a 99th percentile needs.
        max_seconds: Time limit for them.

    Returns:
        The measurement, with the setting it belongs to.

    Raises:
        ConfigError: If a setting is out of range or the engine's library is missing.
        DataError: If there are no queries or no database, or their code lengths differ.
    """
    _check_settings({"k": k, "batch": batch, "threads": threads, "min_samples": min_samples})
    missing = engine.available()
    if missing:
        raise ConfigError(missing)
    load = os.getloadavg()[0]
    batches = _batches(query, batch, at_most=min_samples)
    with engine.pinned_threads(threads) as threads_used:
        build_seconds = _seconds(partial(engine.build, database))
        calls = cycle(batches)
        warmed = _warm_up(engine, calls, k=k, seconds=warmup_seconds)
        taken = _sample(engine, calls, k=k, count=min_samples, seconds=max_seconds)
    per_query = taken * _MS / batch
    return LatencyResult(
        k=k,
        batch=batch,
        threads=threads_used,
        threads_asked=threads,
        bits=database.bits,
        database=len(database),
        build_seconds=build_seconds,
        index_bytes=engine.bytes,
        warmup_seconds=warmed,
        samples=len(taken),
        p50_ms=percentile(per_query, 0.5),
        p95_ms=percentile(per_query, 0.95),
        p99_ms=percentile(per_query, 0.99),
        mean_ms=float(per_query.mean()),
        queries_per_second=batch * len(taken) / float(taken.sum()),
        load_average=load,
    )


def percentile(samples: NDArray[np.float64], share: float) -> float | None:
    """The smallest sample that at least a share of all samples does not exceed.

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
    if len(query) == 0:
        raise DataError("latency: zero queries; there is nothing to search for")
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
    """Wall seconds of single calls, at least one."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or (len(taken) < count and time.perf_counter() < end):
        taken.append(_seconds(partial(engine.search, next(calls), k)))
    return np.array(taken)
