"""What a report says of significance: letters of methods, differences of ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashbench.core.errors import ConfigError
from hashbench.core.record import Artifact
from hashbench.evaluation.names import parse_metric
from hashbench.judge.compare.comparison import Across, Row, compare_pair, compare_samples
from hashbench.judge.compare.holm import holm
from hashbench.judge.compare.samples import PER_QUERY, Sample, read_samples
from hashbench.reports.ablation import Family, families
from hashbench.reports.view import Comparisons, Difference
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class Shelves:
    """The arrays of several stores as if they were one's.

    Attributes:
        stores: Of each cell, the store that it was read from.
    """

    stores: Mapping[str, Store]

    def read_arrays(self, fit_id: str, artifact: Artifact) -> dict[str, Any]:
        """Read arrays back and check them; see `Store.read_arrays`.

        Raises:
            DamagedStoreError: If the file is missing or its checksum differs.
        """
        return self.stores[fit_id].read_arrays(fit_id, artifact)


def compare_for_report(
    cells: Sequence[CellResults],
    stores: Mapping[str, Store],
    *,
    metrics: Sequence[str] = (),
    letters: bool,
    ablations: bool,
    full: str = "",
) -> Comparisons:
    """Compare what a report shows, by the values of every query where these were kept.

    Args:
        cells: The results of every cell.
        stores: Of each cell by its id, the store that it was read from.
        metrics: Full names of the metrics wanted; all without any.
        letters: Whether methods are compared with each other.
        ablations: Whether variants are compared with the full method.
        full: The full method, as `families` takes it.

    Returns:
        Letters, corrected over all pairs by a metric, and differences, corrected over all by a
        metric.

    Raises:
        ConfigError: If ``full`` is no method.
        DamagedStoreError: If an array is damaged.
    """
    known = {name for results in cells for name in results.metrics()}
    names = sorted(known, key=lambda name: parse_metric(name).reading_order)
    names = [name for name in names if not metrics or name in metrics]
    fits = [results.fit for results in cells if results.fitted and results.fit]
    found = families(fits, full) if ablations else []
    marks: dict[tuple[str, str], str] = {}
    tested: dict[str, int] = {}
    differences: dict[tuple[str, str], Difference] = {}
    for name in names:
        samples = samples_at_hand(cells, stores, name)
        if letters:
            groups = compare_samples(_unmixed(samples))
            tested[name] = sum(len(group.rows) for group in groups)
            marks |= {
                (name, record): standing.letters
                for group in groups
                for standing in group.standings
                for record in standing.records
            }
        differences |= _differences(name, samples, found)
    return Comparisons(marks, tested, differences)


def samples_at_hand(
    cells: Sequence[CellResults], stores: Mapping[str, Store], metric: str
) -> list[Sample]:
    """The samples of those cells whose values of every query were kept.

    Args:
        cells: The results of every cell.
        stores: Of each cell by its id, the store that it was read from.
        metric: The metric's full name.

    Raises:
        DamagedStoreError: If an array is damaged.
    """
    kept = [results for results in cells if _has_array(results, stores, metric)]
    try:
        return read_samples(Shelves(stores), kept, metric)
    except ConfigError:
        return []  # a metric of the whole, such as a curve's area, has no value a query


def _has_array(results: CellResults, stores: Mapping[str, Store], metric: str) -> bool:
    """Whether the values of every query are there; a bundle may have left them out."""
    _, record = results.metrics().get(metric, (None, None))
    if record is None or PER_QUERY not in record.artifacts:
        return False
    folder = stores[results.fit_id].root / results.fit_id
    return (folder / record.artifacts[PER_QUERY].file).is_file()


def _unmixed(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that share their seeds with all others they would be compared with."""
    groups: dict[tuple[Any, ...], list[Sample]] = {}
    for sample in samples:
        key = tuple(kind.of(sample) for kind in Across)
        groups.setdefault(key, []).append(sample)
    return [
        sample
        for group in groups.values()
        if set.intersection(*(set(sample.seeds) for sample in group))
        for sample in group
    ]


def _differences(
    metric: str, samples: Sequence[Sample], found: Sequence[Family]
) -> dict[tuple[str, str], Difference]:
    pairs = [pair for family in found for pair in _pairs(family, samples)]
    adjusted = holm([row.effect.p for _, row in pairs])
    return {
        (metric, record): Difference(
            row.effect.mean, row.effect.low, row.effect.high, p, row.effect.seeds
        )
        for (sample, row), p in zip(pairs, adjusted, strict=True)
        for record in sample.records
    }


def _pairs(family: Family, samples: Sequence[Sample]) -> list[tuple[Sample, Row]]:
    """Each variant with its comparison to the full method, where both have seeds in common."""
    own = {
        sample.method: sample
        for sample in samples
        if {fit.record_id for fit in sample.fits} <= _records(family)
    }
    full = own.get(family.full)
    if full is None:
        return []
    variants = [
        sample
        for label, sample in own.items()
        if label != family.full and set(sample.seeds) & set(full.seeds)
    ]
    return [(each, compare_pair(each, full, names=(each.method, full.method))) for each in variants]


def _records(family: Family) -> set[str]:
    return {record for records in family.records.values() for record in records}
