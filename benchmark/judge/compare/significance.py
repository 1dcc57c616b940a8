"""Letters of methods and differences of ablations for a report."""

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
class _ArraysOfStores:
    """Reads the arrays of several stores as if they were in one; has the store of each cell."""

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
    """Compare the methods in a report, as far as their per-query values were kept.

    Args:
        cells: The results of every cell.
        stores: The store of each cell, by fit id.
        metrics: Full names of the wanted metrics; empty for all.
        letters: Whether methods are compared with each other.
        ablations: Whether variants are compared with the full method.
        full: The full method, as `families` takes it.

    Returns:
        Letters and differences. The p-values of each metric are corrected over all its pairs, and
        over all its differences.

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
        samples = samples_with_arrays(cells, stores, name)
        if letters:
            groups = compare_samples(_with_common_seeds(samples))
            tested[name] = sum(len(group.rows) for group in groups)
            marks |= {
                (name, record): standing.letters
                for group in groups
                for standing in group.standings
                for record in standing.records
            }
        differences |= _differences(name, samples, found)
    return Comparisons(marks, tested, differences)


def samples_with_arrays(
    cells: Sequence[CellResults], stores: Mapping[str, Store], metric: str
) -> list[Sample]:
    """Read the samples of a metric from the cells whose per-query values were kept.

    Raises:
        DamagedStoreError: If an array is damaged.
    """
    kept = [results for results in cells if _has_array(results, stores, metric)]
    try:
        return read_samples(_ArraysOfStores(stores), kept, metric)
    except ConfigError:
        return []  # such as the area under a curve, which has no per-query values


def _has_array(results: CellResults, stores: Mapping[str, Store], metric: str) -> bool:
    """Whether the per-query values exist; a bundle may have left them out."""
    _, record = results.metrics().get(metric, (None, None))
    if record is None or PER_QUERY not in record.artifacts:
        return False
    folder = stores[results.fit_id].root / results.fit_id
    return (folder / record.artifacts[PER_QUERY].file).is_file()


def _with_common_seeds(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of groups in which all have a seed in common."""
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
    """Compare each variant with the full method, if they have seeds in common."""
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
