"""Points of the figures: each method at each code length, over all its seeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median, stdev

from hashbench.core.cell import Cell
from hashbench.core.errors import HashbenchError
from hashbench.core.record import FitRecord, LatencyEntry
from hashbench.core.registry import Kind, registry
from hashbench.evaluation.names import parse_metric
from hashbench.reports.frames import engine_label, training_seconds
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.labels import method_labels
from hashbench.store.catalogue import CellResults


@dataclass(frozen=True, slots=True)
class Value:
    """A mean over seeds.

    Attributes:
        mean: The mean.
        deviation: Standard deviation over seeds; None for one seed.
        n: Number of seeds.
        interval: The 95 % interval of the mean, if it is known.
        records: Ids of the records behind it.
    """

    mean: float
    deviation: float | None
    n: int
    interval: tuple[float, float] | None
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Query latency at one setting, medians over the seeds, in milliseconds.

    Attributes:
        p50: Median.
        p95: 95th percentile.
        recall: Share of the exact neighbours.
        records: Ids of the records behind it.
    """

    p50: float | None
    p95: float | None
    recall: float | None
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One method at one code length.

    Attributes:
        method: The method's label.
        bits: The code length; None for embeddings.
        supervision: ``labels``, ``none``, or ``unknown`` if the component is not installed.
        metrics: Values by full name of the metric.
        seconds: Training time.
        epochs: Epochs of training; 0 for shallow methods.
        parameters: Number of trainable parameters.
        latencies: Latency by the description of the setting.
        cells: The results of every seed, in rising order.
    """

    method: str
    bits: int | None
    supervision: str
    metrics: Mapping[str, Value]
    seconds: Value | None
    epochs: int
    parameters: int
    latencies: Mapping[str, Latency]
    cells: tuple[CellResults, ...]

    @property
    def bits_label(self) -> str:
        """The code length as tables print it."""
        return "float" if self.bits is None else f"{self.bits} bits"


@dataclass(frozen=True, slots=True, eq=False)
class Arena:
    """The methods that may be compared: on one protocol and one device.

    Attributes:
        protocol: The protocol as tables print it.
        device: The device's name.
        metric: The metric that most of the methods have, mAP before others.
        points: The points, the best method first, code lengths rising.
    """

    protocol: str
    device: str
    metric: str
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """Protocol and device."""
        return f"{self.protocol} on {self.device}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Its methods, best first."""
        return tuple(dict.fromkeys(point.method for point in self.points))


def arenas(cells: Sequence[CellResults], evidence: Evidence) -> list[Arena]:
    """Group cells by protocol and device, then by method and code length.

    Intervals are taken from ``evidence``.
    """
    fitted = [(results, results.fit) for results in cells if results.fitted and results.fit]
    labels = method_labels([fit for _, fit in fitted])
    groups: defaultdict[tuple[str, str], defaultdict[tuple[str, int | None], list[CellResults]]]
    groups = defaultdict(lambda: defaultdict(list))
    for results, fit in fitted:
        arena = groups[fit.cell.data.label, fit.environment.computed_on]
        arena[labels[fit.record_id], fit.cell.bits].append(results)
    return [_arena(*key, group, evidence) for key, group in sorted(groups.items())]


def _arena(
    protocol: str,
    device: str,
    group: Mapping[tuple[str, int | None], list[CellResults]],
    evidence: Evidence,
) -> Arena:
    points = [_point(*key, found, evidence) for key, found in group.items()]
    metric = _main_metric(points)
    means: defaultdict[str, list[float]] = defaultdict(list)
    for point in points:
        if value := point.metrics.get(metric):
            means[point.method].append(value.mean)
    best = {method: fmean(values) for method, values in means.items()}
    points.sort(key=lambda p: (-best.get(p.method, -1.0), p.method, p.bits or 1 << 20))
    return Arena(protocol, device, metric, tuple(points))


def _main_metric(points: Sequence[Point]) -> str:
    counts = Counter(name for point in points for name in point.metrics)
    return min(
        counts, key=lambda name: (-counts[name], parse_metric(name).reading_order), default=""
    )


def _point(method: str, bits: int | None, found: list[CellResults], evidence: Evidence) -> Point:
    cells = tuple(sorted(found, key=lambda results: (_fit(results).cell.seed, results.fit_id)))
    fits = [_fit(results) for results in cells]
    trained = [fit for fit in fits if fit.budget is not None]
    return Point(
        method,
        bits,
        supervision_of(fits[0].cell),
        _metrics(cells, evidence),
        _value([training_seconds(f) for f in trained], [f.record_id for f in trained]),
        max((fit.budget.epochs for fit in fits if fit.budget), default=0),
        max((fit.budget.parameters for fit in fits if fit.budget), default=0),
        _latencies(cells),
        cells,
    )


def _fit(results: CellResults) -> FitRecord:
    assert results.fit is not None  # noqa: S101 - only fitted cells are grouped
    return results.fit


def _metrics(cells: Sequence[CellResults], evidence: Evidence) -> dict[str, Value]:
    found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for results in cells:
        for name, (entry, record) in results.metrics().items():
            found[name].append((entry.value, record.record_id))
    values = {}
    for name in sorted(found, key=lambda name: parse_metric(name).reading_order):
        records = [record for _, record in found[name]]
        interval = evidence.intervals.get((tuple(sorted(records)), name))
        value = _value([value for value, _ in found[name]], records, interval=interval)
        if value is not None:
            values[name] = value
    return values


def _value(
    values: Sequence[float],
    records: Sequence[str],
    *,
    interval: tuple[float, float] | None = None,
) -> Value | None:
    if not values:
        return None
    deviation = stdev(values) if len(values) > 1 else None
    return Value(fmean(values), deviation, len(values), interval, tuple(records))


def _latencies(cells: Sequence[CellResults]) -> dict[str, Latency]:
    found: defaultdict[str, list[tuple[LatencyEntry, str]]] = defaultdict(list)
    for results in cells:
        for record in results.latencies:
            for entry in record.entries:
                words = _setting(entry, record.environment.computed_on)
                found[words].append((entry, record.record_id))
    return {
        words: Latency(
            _median([entry.p50_ms for entry, _ in entries]),
            _median([entry.p95_ms for entry, _ in entries]),
            _median([entry.recall for entry, _ in entries]),
            tuple(dict.fromkeys(record for _, record in entries)),
        )
        for words, entries in sorted(found.items())
    }


def _setting(entry: LatencyEntry, device: str) -> str:
    """Return an engine's setting, e.g. ``exact, batch 1, 1 thread, top 100 of 5,000 on …``."""
    threads = f"{entry.threads_used} thread{'s' * (entry.threads_used != 1)}"
    image = " from the image file" if entry.includes_encoding else ""
    return (
        f"{engine_label(entry.setting)}{image}, batch {entry.setting.batch}, {threads}, "
        f"top {entry.setting.k:,} of {entry.database:,} on {device}"
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def supervision_of(cell: Cell) -> str:
    """Return ``labels`` or ``none``, by the component's information.

    If the component belongs to a plugin that is not installed, return ``unknown``.
    """
    if cell.loss is not None:
        return _supervision(Kind.LOSS, cell.loss.name)
    return _supervision(Kind.METHOD, cell.method.name) if cell.method is not None else "unknown"


@lru_cache(maxsize=256)
def _supervision(kind: Kind, name: str) -> str:
    try:
        return str(registry().load(kind, name).info.supervision.value)
    except (HashbenchError, ImportError, AttributeError):
        return "unknown"
