"""Intervals of means and differences between methods for a page of an HTML report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from hashbench.judge.compare.bootstrap import Effect, paired_bootstrap
from hashbench.judge.compare.comparison import compare_pair
from hashbench.judge.compare.holm import holm
from hashbench.judge.compare.samples import Sample
from hashbench.judge.compare.significance import samples_with_arrays
from hashbench.reports.html.evidence import Difference, Evidence
from hashbench.reports.html.points import arenas
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store

# An interval of 1,000 queries takes about 0.1 s; this many values take less than half a minute.
VALUES_AT_MOST: Final = 250_000

Interval = tuple[tuple[tuple[str, ...], str], tuple[float, float]]


@dataclass(slots=True)
class _Budget:
    """The number of values that may still be resampled; a clock would make pages differ."""

    left: int
    refused: int = 0

    def take(self, values: int) -> bool:
        if values > self.left:
            self.refused += 1
            return False
        self.left -= values
        return True


def evidence_for_page(
    cells: Sequence[CellResults], stores: Mapping[str, Store], *, values: int = VALUES_AT_MOST
) -> Evidence:
    """Compute intervals of the main metric of every method, and of differences between methods.

    Args:
        cells: The results of every cell.
        stores: The store of each cell, by fit id.
        values: Most per-query values that are resampled. Beyond that results are left out, pairs
            without the best method of their group first.

    Returns:
        Evidence without claims.

    Raises:
        DamagedStoreError: If an array is damaged.
    """
    groups = _groups(cells, stores)
    budget = _Budget(values)
    intervals = dict(_intervals(groups, budget))
    means = budget.refused
    differences = _corrected(list(_differences(groups, budget)))
    note = _note(means, budget.refused - means)
    return Evidence(dict(stores), intervals, differences, note)


def _groups(cells: Sequence[CellResults], stores: Mapping[str, Store]) -> list[list[Sample]]:
    """Group the samples of main metrics that may be compared, the best method of each first."""
    metrics = sorted({arena.metric for arena in arenas(cells, Evidence()) if arena.metric})
    groups: dict[tuple[str, ...], list[Sample]] = {}
    for metric in metrics:
        for sample in samples_with_arrays(cells, stores, metric):
            key = (sample.protocol, sample.protocol_sha256, sample.bits, sample.device, metric)
            groups.setdefault(key, []).append(sample)
    return [sorted(groups[key], key=lambda s: (-s.mean, s.method)) for key in sorted(groups)]


def _intervals(groups: Sequence[Sequence[Sample]], budget: _Budget) -> Iterator[Interval]:
    """The interval of every mean over seeds and queries."""
    for sample in (sample for group in groups for sample in group):
        values = sample.values[:, np.isfinite(sample.values).all(axis=0)]
        if values.size and budget.take(values.shape[1]):
            effect = paired_bootstrap(values)
            yield (tuple(sorted(sample.records)), sample.metric), (effect.low, effect.high)


def _differences(groups: Sequence[Sequence[Sample]], budget: _Budget) -> Iterator[Difference]:
    """Compare pairs of methods: each group's best with the others first, then all others."""
    with_best = [(group[0], other) for group in groups for other in group[1:]]
    others = [pair for group in groups for pair in combinations(group[1:], 2)]
    for first, second in (*with_best, *others):
        common = set(first.seeds) & set(second.seeds)
        if not common or not budget.take(first.values.shape[1]):
            continue
        effect = compare_pair(first, second, names=(first.method, second.method)).effect
        yield Difference(
            tuple(sorted(first.records)),
            tuple(sorted(second.records)),
            first.metric,
            effect.mean,
            effect.low,
            effect.high,
            effect.p,
            _over(effect),
        )


def _over(effect: Effect) -> str:
    return f"{effect.over}, n = {effect.seeds} x {effect.queries}"


def _corrected(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Apply Holm's correction over all differences."""
    adjusted = holm([each.p for each in differences])
    return tuple(replace(each, p=p) for each, p in zip(differences, adjusted, strict=True))


def _note(means: int, pairs: int) -> str:
    left_out = [
        *([f"intervals of {means:,} of the means"] if means else []),
        *([f"differences of {pairs:,} of the pairs"] if pairs else []),
    ]
    note = (
        "Intervals of the main metric are at 95 %, each by itself; p-values are corrected over all "
        "pairs on this page."
    )
    if not left_out:
        return note
    return (
        f"{note} To keep a report quick, {' and '.join(left_out)} are left out; hashbench compare "
        "METHOD METHOD computes any."
    )
