"""Check that evaluations and latency measurements follow from the stored codes and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.audit.findings import Audit, Subject
from hashbench.core.codes import Codes
from hashbench.core.record import CodeFacts, EvaluationRecord, FitRecord, LatencyEntry, MetricEntry
from hashbench.evaluation.entries import evaluate_entries
from hashbench.search.resample import Resampling, resample
from hashbench.search.scan import distance_histogram
from hashbench.store.codes import EncodedSplit

# Metrics of codes are counts; only the order of the last sum may differ. Cosines are matrix
# products, whose last digits differ between processors.
_EXACT = 1e-12
_FLOAT = 1e-6


def check_evaluation(
    record: EvaluationRecord,
    fit: FitRecord,
    encoded: EncodedSplit,
    *,
    arrays: Mapping[str, NDArray[Any]] | None,
    file: str,
    audit: Audit,
) -> None:
    """Compute every number of an evaluation again and compare.

    Args:
        record: The evaluation.
        fit: The fit that it belongs to.
        encoded: That fit's codes and labels.
        arrays: The evaluation's stored arrays; None if they are missing.
        file: The record's file, for messages.
        audit: Receives the differences.

    Raises:
        HashbenchError: If the codes cannot be evaluated, or a metric's name cannot be read.
    """
    again = evaluate_entries(
        encoded.query,
        encoded.database,
        encoded.query_labels,
        encoded.database_labels,
        list(record.metrics),
        protocol_sha256=fit.cell.data.protocol_sha256,
    )
    tolerance = _EXACT if isinstance(encoded.query, Codes) else _FLOAT
    audit.checked[Subject.METRICS] += len(record.metrics)
    for name, entry in record.metrics.items():
        for what in _entry_differences(entry, again.metrics.get(name), tolerance):
            audit.add_problem(Subject.METRICS, file, f"{name}: {what}")
    if record.codes is not None:
        audit.checked[Subject.STATISTICS] += len(record.codes)
        for what in _fact_differences(record.codes, again.codes or {}):
            audit.add_problem(Subject.STATISTICS, file, what)
    if arrays is not None:
        audit.checked[Subject.ARRAYS] += len(arrays)
        for what in _array_differences(arrays, again.arrays, tolerance):
            audit.add_problem(Subject.ARRAYS, file, what)


def _entry_differences(
    stored: MetricEntry, again: MetricEntry | None, tolerance: float
) -> Iterator[str]:
    if again is None:
        yield "is not this metric's full name"
        return
    yield from _differences(stored.model_dump(), again.model_dump(), tolerance)


def _fact_differences(
    stored: Mapping[str, CodeFacts], again: Mapping[str, CodeFacts]
) -> Iterator[str]:
    if stored.keys() != again.keys():
        yield f"statistics of {sorted(stored)}, computed again they are of {sorted(again)}"
        return
    for side, facts in stored.items():
        differences = _differences(facts.model_dump(), again[side].model_dump(), _EXACT)
        yield from (f"{side}.{what}" for what in differences)


def _differences(
    stored: Mapping[str, Any], again: Mapping[str, Any], tolerance: float
) -> Iterator[str]:
    for key, value in stored.items():
        if not _near(value, again[key], tolerance):
            yield f"{key} is {value!r}, computed again it is {again[key]!r}"


def _near(stored: Any, again: Any, tolerance: float) -> bool:
    if isinstance(stored, float) and isinstance(again, float):
        return math.isclose(stored, again, rel_tol=tolerance, abs_tol=tolerance)
    return bool(stored == again)


def _array_differences(
    stored: Mapping[str, NDArray[Any]], again: Mapping[str, NDArray[Any]], tolerance: float
) -> Iterator[str]:
    for name in sorted(stored.keys() ^ again.keys()):
        yield f"{name}: {'unexpected array' if name in stored else 'array is missing'}"
    for name in sorted(stored.keys() & again.keys()):
        old, new = stored[name], again[name]
        if old.shape != new.shape or old.dtype != new.dtype:
            yield f"{name}: {old.dtype} {old.shape}, computed again {new.dtype} {new.shape}"
            continue
        same = np.isclose(old, new, rtol=tolerance, atol=tolerance, equal_nan=True)
        if not same.all():
            first = int(np.flatnonzero(~same)[0])
            yield (
                f"{name}: {int((~same).sum())} of {same.size} values differ, first at {first}: "
                f"{float(old[first])!r}, computed again {float(new[first])!r}"
            )


_ROUNDING = 1e-9


def entry_differences(entry: LatencyEntry, encoded: EncodedSplit | None) -> Iterator[str]:
    """Describe where a latency entry contradicts itself or the codes that were searched.

    The samples themselves are not stored, so the percentiles cannot be computed again. Without the
    codes only the entry itself is checked.
    """
    ordered = [entry.p50_ms, entry.p95_ms, entry.p99_ms, entry.p999_ms]
    known = [value for value in ordered if value is not None]
    if any(low > high for low, high in pairwise(known)):
        yield f"percentiles are not in rising order: {known}"
    rate = 1000 / entry.mean_ms if entry.mean_ms else math.inf
    if not math.isclose(rate, entry.queries_per_second, rel_tol=_ROUNDING):
        yield f"{entry.queries_per_second!r} queries a second, but {entry.mean_ms!r} ms a query"
    if encoded is None or not isinstance(encoded.database, Codes):
        return
    if entry.bits != encoded.database.bits:
        yield f"states {entry.bits} bits, the codes have {encoded.database.bits}"
    size = entry.database if entry.resampled_from is None else entry.resampled_from
    if size != len(encoded.database):
        yield f"states a database of {size:,} codes, the fit has {len(encoded.database):,}"


def histogram_differences(
    arrays: Mapping[str, NDArray[Any]],
    about: Mapping[str, str],
    encoded: EncodedSplit,
    *,
    resampled: bool,
) -> Iterator[str]:
    """Count the distances between queries and database again, and describe differences.

    Args:
        arrays: Counts by database size.
        about: Parameters of resampling for larger databases: ``seed`` and ``redraw``.
        encoded: The fit's codes.
        resampled: Whether to draw larger databases again as well.
    """
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        yield "embeddings have no distances to count"
        return
    for size, counts in arrays.items():
        searched = database
        if int(size) != len(database):
            if not resampled:
                continue
            searched = resample(
                database,
                encoded.database_labels,
                int(size),
                seed=int(about["seed"]),
                redraw=float(about["redraw"]),
                way=Resampling(about.get("resampling", Resampling.FLIP)),
            )
        if not np.array_equal(counts, distance_histogram(query, searched)):
            yield f"distances to {int(size):,} codes differ from those computed again"
