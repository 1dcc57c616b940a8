"""What a page is told of means and differences, against the comparison of the same records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.core.cell import Cell, Component
from hashbench.judge.compare.comparison import compare_samples
from hashbench.judge.compare.page import evidence_for_page
from hashbench.judge.compare.samples import read_samples
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

MAP = "map@all/div=hits/ties=expected/empty=zero"


@pytest.fixture
def store(tmp_path: Path, cell: Cell, write_cell: Callable[..., Any]) -> Store:
    """Three methods under three seeds, 30 queries."""
    found = Store.create(tmp_path / "store")
    rng = np.random.default_rng(7)
    for loss, mean in (("csq", 0.5), ("hsc", 0.7), ("dsh", 0.68)):
        for seed in range(3):
            own = replace(cell, loss=Component(loss, 1), seed=seed)
            write_cell(found, own, {MAP: mean + 0.1 * rng.standard_normal(30)})
    return found


def test_differences_are_those_of_the_comparison(store: Store) -> None:
    cells = read_all(store)
    evidence = evidence_for_page(cells, dict.fromkeys(store.fit_ids(), store))
    (group,) = compare_samples(read_samples(store, cells, MAP))
    rows = {frozenset(row.records): row for row in group.rows}
    assert len(evidence.differences) == 3
    for found in evidence.differences:
        row = rows[frozenset({*found.first, *found.second})]
        effect = (found.mean, found.low, found.high, found.p)
        assert effect == (row.effect.mean, row.effect.low, row.effect.high, row.p_holm)
        assert found.over == "seeds and queries, n = 3 x 30"


def test_every_mean_has_an_interval_around_it(store: Store) -> None:
    cells = read_all(store)
    evidence = evidence_for_page(cells, dict.fromkeys(store.fit_ids(), store))
    means = {
        tuple(sorted(sample.records)): sample.mean for sample in read_samples(store, cells, MAP)
    }
    assert {records for records, _ in evidence.intervals} == set(means)
    for (records, metric), (low, high) in evidence.intervals.items():
        assert metric == MAP
        assert low < means[records] < high


def test_beyond_the_allowance_pairs_with_the_best_come_first_and_the_rest_is_said(
    store: Store,
) -> None:
    cells = read_all(store)
    stores = dict.fromkeys(store.fit_ids(), store)
    evidence = evidence_for_page(cells, stores, values=5 * 30)
    assert (len(evidence.intervals), len(evidence.differences)) == (3, 2)
    firsts = {found.first for found in evidence.differences}
    best = max(read_samples(store, cells, MAP), key=lambda sample: sample.mean)
    assert firsts == {tuple(sorted(best.records))}
    assert "differences of 1 of the pairs are left out" in evidence.note
    assert "hashbench compare METHOD METHOD" in evidence.note


def test_values_left_out_of_a_bundle_are_simply_not_there(store: Store) -> None:
    for path in store.root.glob("*/per-query-*"):
        path.unlink()
    evidence = evidence_for_page(read_all(store), dict.fromkeys(store.fit_ids(), store))
    assert (evidence.intervals, evidence.differences) == ({}, ())
