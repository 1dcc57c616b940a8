"""What the page's own programs read: points, differences, records, as compact JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from hashbench.reports.html.documents import Shared, documents
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.html.points import Arena, Latency, Point, Value
from hashbench.store.catalogue import CellResults

_DIGITS: Final = 6


def page_data(found: Sequence[Arena], cells: Sequence[CellResults], evidence: Evidence) -> str:
    """Everything the page's programs read.

    Args:
        found: The arenas.
        cells: The results of every cell.
        evidence: Intervals and differences.

    Returns:
        JSON that may stand inside a ``<script>`` element.
    """
    shared = Shared()
    data = {
        "records": documents(cells, shared),
        "shared": shared.entries,
        "arenas": [_arena(arena, evidence) for arena in found],
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # No end tag, no comment and no line separator of JavaScript can then occur inside.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _arena(arena: Arena, evidence: Evidence) -> dict[str, Any]:
    places = {
        (tuple(sorted(value.records)), metric): number
        for number, point in enumerate(arena.points)
        for metric, value in point.metrics.items()
    }
    differences = [
        [
            places[each.first, each.metric],
            places[each.second, each.metric],
            each.metric,
            *map(_short, (each.mean, each.low, each.high, each.p)),
            each.over,
        ]
        for each in evidence.differences
        if (each.first, each.metric) in places and (each.second, each.metric) in places
    ]
    return {
        "title": arena.title,
        "metric": arena.metric,
        "points": [_point(point) for point in arena.points],
        "differences": differences,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "method": point.method,
        "bits": point.bits,
        "labels": point.supervision,
        "metrics": {name: _value(value) for name, value in point.metrics.items()},
        "seconds": _value(point.seconds) if point.seconds else None,
        "epochs": point.epochs,
        "parameters": point.parameters,
        "latencies": {name: _latency(found) for name, found in point.latencies.items()},
        "fits": [results.fit.record_id for results in point.cells if results.fit],
    }


def _value(value: Value) -> list[Any]:
    low, high = value.interval or (None, None)
    numbers = map(_short, (value.mean, value.deviation, low, high))
    return [*numbers, value.n, list(value.records)]


def _latency(found: Latency) -> list[Any]:
    return [*map(_short, (found.p50, found.p95, found.recall)), list(found.records)]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
