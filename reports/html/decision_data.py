"""The data of the page's scripts as compact JSON: points, differences and records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hashbench.core.canonical import canonical_json
from hashbench.core.record import FitRecord
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.html.points import Arena, Latency, Point, Value
from hashbench.store.catalogue import CellResults

SHARED: Final = "$"  # a mapping with this key alone stands for an entry of the shared list
EPOCHS_SHOWN: Final = 12
_WORTH_SHARING: Final = 60  # bytes
_DIGITS: Final = 6


def page_data(found: Sequence[Arena], cells: Sequence[CellResults], evidence: Evidence) -> str:
    """Return the data of the page's scripts as JSON that may stand in a ``<script>`` element."""
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


class Shared:
    """Mappings that are written once and referred to by number.

    Attributes:
        entries: The mappings; each stands before the mappings that refer to it.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._numbers: dict[bytes, int] = {}

    def shorten(self, value: Any, *, top: bool = True) -> Any:
        """Replace large mappings inside a value by references, and round floats."""
        if isinstance(value, Mapping):
            short = {key: self.shorten(item, top=False) for key, item in value.items()}
            return short if top else self._reference(short)
        if isinstance(value, list | tuple):
            return [self.shorten(item, top=False) for item in value]
        return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value

    def _reference(self, short: dict[str, Any]) -> dict[str, Any]:
        text = canonical_json(short)
        if len(text) < _WORTH_SHARING:
            return short
        if text not in self._numbers:
            self._numbers[text] = len(self.entries)
            self.entries.append(short)
        return {SHARED: self._numbers[text]}


def documents(cells: Sequence[CellResults], shared: Shared) -> dict[str, Any]:
    """Return every record shown, by its id; common parts go to ``shared``."""
    found = {}
    for results in cells:
        fits = [results.fit] if results.fit else []
        for record in (*fits, *results.evaluations, *results.latencies, *results.failures):
            if record.record_id not in found:
                found[record.record_id] = shared.shorten(_shown(record.model_dump(mode="json")))
                if isinstance(record, FitRecord):
                    found[record.record_id]["title"] = str(record.cell)
    return found


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    """Return a record's document without empty entries and with at most twelve epochs."""
    kept = {key: value for key, value in document.items() if value not in (None, {}, [], "")}
    history = kept.get("history", [])
    if len(history) > EPOCHS_SHOWN:
        step = (len(history) - 1) / (EPOCHS_SHOWN - 1)
        kept["history"] = [history[round(number * step)] for number in range(EPOCHS_SHOWN)]
        kept["epochs recorded"] = len(history)
    return kept
