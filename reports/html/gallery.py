"""All figures of an arena, in reading order, with the reason for each missing figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from hashbench.core.record import EvaluationRecord, FitRecord
from hashbench.reports.html.canvas import Drawing
from hashbench.reports.html.code_figures import balance, cooccurrence, distances
from hashbench.reports.html.cost_figures import quality_by_latency, quality_by_training
from hashbench.reports.html.pair_counts import PairCounts, count_pairs
from hashbench.reports.html.points import Arena, Point
from hashbench.reports.html.quality_figures import (
    SHOWN,
    convergence,
    precision_at,
    precision_recall,
    quality_by_bits,
)
from hashbench.store.store import Store

# Counting the pairs of one fit with a database of this size and 500 queries takes about a second.
DATABASE_AT_MOST: Final = 200_000
_FROM_CODES: Final = {
    "pr": "Precision and recall",
    "at-n": "Precision at N",
    "distances": "Hamming distances",
    "balance": "Bit balance",
    "labels": "Labels that occur together",
}


def drawings(arena: Arena, key: str, stores: Mapping[str, Store]) -> list[Drawing]:
    """Draw all figures of an arena, from the records and from the codes in the stores.

    Ids inside the figures start with ``key``, which is unique within the page.

    Raises:
        DamagedStoreError: If an artifact does not match its checksum.
    """
    return [
        quality_by_bits(arena, key),
        *_from_codes(arena, key, stores),
        quality_by_training(arena, key),
        quality_by_latency(arena, key),
        convergence(arena, key),
    ]


def _from_codes(arena: Arena, key: str, stores: Mapping[str, Store]) -> list[Drawing]:
    compared = _compared(arena)
    points = [point for point in compared if point.cells[0].fit_id in stores]
    if not points:
        return _none("the stores hold no codes" if compared else "there are no binary codes")
    fits = [(point, _fit(point)) for point in points]
    largest = max(fit.data.sizes["database"] for _, fit in fits if fit.data)
    if largest > DATABASE_AT_MOST:
        return _none(
            f"the database of {largest:,} codes exceeds the report's limit of {DATABASE_AT_MOST:,}"
        )
    counts: dict[str, PairCounts] = {}
    for point, fit in fits:
        if (found := count_pairs(stores[fit.fit_id], fit)) is not None:
            counts[point.method] = found
    if not counts:
        return _none("the store holds no codes beside its records")
    bits = points[0].bits or 0
    curves = {
        point.method: _recorded_curve(stores[point.cells[0].fit_id], point)
        or counts[point.method].curve
        for point in points
        if point.method in counts
    }
    labels = next(iter(counts.values())).database_labels
    return [
        precision_recall(arena, key, curves, bits=bits),
        precision_at(arena, key, counts, bits=bits),
        distances(arena, key, counts, bits=bits),
        balance(arena, key, counts, bits=bits),
        cooccurrence(key, labels),
    ]


def _none(why: str) -> list[Drawing]:
    return [Drawing(key, title, "", "", why) for key, title in _FROM_CODES.items()]


def _compared(arena: Arena) -> list[Point]:
    """Return the best methods at the code length that most have, the longest of several such."""
    counts = Counter(point.bits for point in arena.points if point.bits)
    if not counts:
        return []
    bits = max(counts, key=lambda length: (counts[length], length))
    ranked = [p for p in arena.points if p.bits == bits and arena.metric in p.metrics]
    return ranked[:SHOWN]


def _fit(point: Point) -> FitRecord:
    fit = point.cells[0].fit
    assert fit is not None  # noqa: S101 - a point is of fitted cells
    return fit


def _recorded_curve(store: Store, point: Point) -> tuple[Any, Any] | None:
    """Return the curve that an evaluation of the first seed stored, if any did."""
    for record in reversed(point.cells[0].evaluations):
        name = next((name for name in record.metrics if name.startswith("pr@")), None)
        if name and (curve := _curve(store, record, name)):
            return curve
    return None


def _curve(store: Store, record: EvaluationRecord, name: str) -> tuple[Any, Any] | None:
    artifact = record.artifacts.get("per_query")
    if artifact is None or not (store.root / record.fit_id / artifact.file).exists():
        return None
    arrays = store.read_arrays(record.fit_id, artifact)
    parts = [arrays.get(f"{name}#{part}") for part in ("recall", "precision")]
    return None if parts[0] is None or parts[1] is None else (parts[0], parts[1])
