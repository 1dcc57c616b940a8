"""What the analysis reads: the store's records as arenas, with intervals where they are cheap."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.evaluation.names import parse_metric
from hashbench.judge.compare.comparison import Row, compare_pair
from hashbench.judge.compare.page import evidence_for_page
from hashbench.judge.compare.samples import Sample
from hashbench.judge.compare.significance import samples_with_arrays
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.html.points import Arena, Point, arenas
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

_VALUES: Final = 50_000  # resampled for one page: some seconds
_KEPT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """An arena with what statistics say of it.

    Attributes:
        arena: One protocol on one device.
        evidence: Intervals, differences, and the store of each cell.
        cells: The arena's cells.
        problems: One line for each damaged cell of the store, which is left out.
    """

    arena: Arena
    evidence: Evidence
    cells: tuple[CellResults, ...]
    problems: tuple[str, ...] = ()

    def metrics(self) -> list[str]:
        """The metrics that something was evaluated by, the main one first."""
        known = {name for point in self.arena.points for name in point.metrics}
        ranked = sorted(known, key=lambda name: parse_metric(name).reading_order)
        return sorted(ranked, key=lambda name: name != self.arena.metric)

    def runs(self) -> list[tuple[str, str]]:
        """Title and key of every method at a code length, the best first."""
        return [
            (run_title(point, self.arena.metric), run_key(point)) for point in self.arena.points
        ]

    def compare(self, first: str, second: str, metric: str) -> Row:
        """Compare two runs by the values of every query, over the seeds that both have.

        Args:
            first: The key of one.
            second: The key of another.
            metric: Full name.

        Raises:
            ConfigError: If they are the same, or have no such values or no seed in common.
            DamagedStoreError: If an array is damaged.
        """
        if first == second:
            raise ConfigError("compare: choose two different runs")
        samples = samples_with_arrays(self.cells, self.evidence.stores, metric)
        points = {run_key(point): point for point in self.arena.points}
        one, two = (_sample(samples, points, key, metric=metric) for key in (first, second))
        return compare_pair(one, two, names=(first, second))


class AnalysisSource:
    """Reads analyses out of a store; the last few are kept while the records stay the same.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._store = Store.open(root)
        self._kept: OrderedDict[tuple[str, frozenset[str]], Analysis] = OrderedDict()
        self._lock = threading.Lock()

    def titles(self) -> tuple[list[str], list[str]]:
        """The titles of all arenas, and a line for each damaged cell."""
        cells, problems = self._cells()
        places = {
            (results.fit.cell.data.label, results.fit.environment.computed_on)
            for results in cells
            if results.fitted and results.fit
        }
        return [f"{protocol} on {device}" for protocol, device in sorted(places)], problems

    def analysis(self, title: str) -> Analysis:
        """An arena by its title.

        Raises:
            ConfigError: If it is gone.
            DamagedStoreError: If an array is damaged.
        """
        cells, problems = self._cells()
        found = next((a for a in arenas(cells, Evidence()) if a.title == title), None)
        if found is None:
            raise ConfigError(
                f"analysis: the store has no results of {title} any more; choose again"
            )
        own = tuple(results for point in found.points for results in point.cells)
        key = title, frozenset(_records(own))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._made(own, problems)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _made(self, cells: tuple[CellResults, ...], problems: Sequence[str]) -> Analysis:
        stores = dict.fromkeys((results.fit_id for results in cells), self._store)
        evidence = evidence_for_page(cells, stores, values=_VALUES)
        return Analysis(arenas(cells, evidence)[0], evidence, cells, tuple(problems))

    def _cells(self) -> tuple[list[CellResults], list[str]]:
        cells, problems = [], []
        for fit_id in self._store.fit_ids():
            try:
                cells.append(read_cell(self._store, fit_id))
            except DamagedStoreError as error:
                problems.append(str(error))
        return cells, problems


def run_key(point: Point) -> str:
    """What tells a run from others of its arena, as its sample is called."""
    return f"{point.method}\n{'float' if point.bits is None else point.bits}"


def run_title(point: Point, metric: str) -> str:
    """What a run is called where one is chosen."""
    seeds = len(point.cells)
    parts = [point.method, point.bits_label, f"{seeds} seed{'s' * (seeds != 1)}"]
    if value := point.metrics.get(metric):
        parts.append(f"{metric.partition('/')[0]} {value.mean:.4f}")
    return ", ".join(parts)


def _sample(
    samples: Sequence[Sample], points: Mapping[str, Point], key: str, *, metric: str
) -> Sample:
    if key not in points:
        raise ConfigError("compare: the store has changed; choose the runs again")
    point = points[key]
    own = {results.fit.record_id for results in point.cells if results.fit}
    for sample in samples:
        if {fit.record_id for fit in sample.fits} <= own:
            return sample
    raise ConfigError(
        f"compare: {point.method} at {point.bits_label} has no values of {metric} for each query; "
        f"choose another metric, or evaluate it by this one"
    )


def _records(cells: Sequence[CellResults]) -> list[str]:
    return [
        record.record_id
        for results in cells
        for record in (results.fit, *results.evaluations, *results.latencies)
        if record is not None
    ]
