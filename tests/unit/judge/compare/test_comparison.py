"""Methods of a store and stores against each other, by records with known answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.core.cell import Cell, Component
from hashbench.core.environment import Device
from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.judge.compare.comparison import Across, compare_samples, compare_stores
from hashbench.judge.compare.samples import Sample, read_samples
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"
OTHER = "map@all/div=min/ties=expected/empty=zero"
NOISE = np.random.default_rng(0).normal(0, 0.05, 60)


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[str], Store]:
    return lambda name: Store.create(tmp_path / name)


@pytest.fixture
def fill(cell: Cell, write_cell: Callable[..., Any]) -> Callable[..., None]:
    """Write a method's three seeds with values around a mean."""

    def write(
        store: Store, loss: str, mean: float, *, metric: str = METRIC, data: Any = None, **more: Any
    ) -> None:
        own = replace(cell, loss=Component(loss, 1), data=data or cell.data)
        for seed in (0, 1, 2):
            rng = np.random.default_rng([seed, *loss.encode()])
            values = mean + NOISE + rng.normal(0, 0.002, 60)
            write_cell(store, replace(own, seed=seed), {metric: values}, **more)

    return write


def samples(store: Store, *, or_like: bool = False) -> list[Sample]:
    return read_samples(store, read_all(store), METRIC, or_like=or_like)


def test_a_clear_difference_is_shown_with_its_interval_and_letters(
    stores: Callable[[str], Store], fill: Callable[..., None]
) -> None:
    store = stores("a")
    for loss, mean in (("bad", 0.5), ("best", 0.7), ("alike", 0.7003)):
        fill(store, loss, mean)
    (group,) = compare_samples(samples(store))
    assert [standing.letters for standing in group.standings] == ["a", "a", "b"]
    assert group.standings[2].name == "trunk + bad"
    rows = {frozenset({row.first, row.second}): row for row in group.rows}
    clear = rows[frozenset({"trunk + best", "trunk + bad"})]
    assert clear.effect.low < 0.2 < clear.effect.high
    assert clear.effect.low > 0.19
    assert (clear.winner, clear.wins, clear.ties, clear.losses) == ("trunk + best", 60, 0, 0)
    close = rows[frozenset({"trunk + best", "trunk + alike"})]
    assert (close.shown, close.winner) == (False, None)


def test_p_values_are_corrected_over_all_pairs(
    stores: Callable[[str], Store], fill: Callable[..., None]
) -> None:
    store = stores("a")
    for loss, mean in (("x", 0.5), ("yy", 0.5015), ("zzz", 0.503)):
        fill(store, loss, mean)
    (group,) = compare_samples(samples(store))
    raw = sorted(row.effect.p for row in group.rows)
    corrected = sorted(row.p_holm for row in group.rows)
    assert corrected[0] == pytest.approx(min(1.0, 3 * raw[0]))
    assert all(a >= b for a, b in zip(corrected, raw, strict=True))


def test_only_seeds_that_both_have_are_compared(
    stores: Callable[[str], Store],
    fill: Callable[..., None],
    write_cell: Callable[..., Any],
    cell: Cell,
) -> None:
    store = stores("a")
    fill(store, "x", 0.5)
    for seed in (1, 2, 7):
        other = replace(cell, loss=Component("y", 1), seed=seed)
        write_cell(store, other, {METRIC: 0.4 + NOISE})
    (group,) = compare_samples(samples(store))
    assert group.rows[0].effect.seeds == 2


def test_no_common_seed_is_refused(
    stores: Callable[[str], Store], write_cell: Callable[..., Any], cell: Cell
) -> None:
    store = stores("a")
    for loss, seed in (("x", 0), ("y", 1)):
        write_cell(store, replace(cell, loss=Component(loss, 1), seed=seed), {METRIC: NOISE})
    with pytest.raises(ConfigError, match="have no seed in common"):
        compare_samples(samples(store))


def test_queries_that_a_metric_leaves_out_are_left_out(
    stores: Callable[[str], Store], write_cell: Callable[..., Any], cell: Cell
) -> None:
    store = stores("a")
    gap = np.where(np.arange(60) == 3, np.nan, NOISE)
    for loss in ("x", "y"):
        for seed in (0, 1):
            own = replace(cell, loss=Component(loss, 1), seed=seed)
            write_cell(store, own, {METRIC: gap + (loss == "x")})
    (group,) = compare_samples(samples(store))
    assert (group.rows[0].effect.queries, group.rows[0].effect.mean) == (59, pytest.approx(1.0))


def test_other_protocols_are_refused_by_name_unless_told(
    stores: Callable[[str], Store], fill: Callable[..., None], cell: Cell
) -> None:
    store = stores("a")
    fill(store, "x", 0.5)
    fill(store, "yy", 0.7, data=replace(cell.data, protocol="toy-2@1", protocol_sha256="b" * 64))
    named = ("trunk + x", "trunk + yy")
    found = samples(store)
    assert compare_samples(found) == []
    with pytest.raises(
        ConfigError, match=r"different protocols .*toy@1.*toy-2@1.*--across protocols"
    ):
        compare_samples(found, named=named)
    (group,) = compare_samples(found, named=named, across=[Across.PROTOCOLS])
    row = group.rows[0]
    assert (row.paired, row.wins, row.effect.mean) == (False, 0, pytest.approx(0.2, abs=2e-3))
    assert "toy-2@1" in row.first


def test_a_protocol_of_another_content_is_another_protocol(
    stores: Callable[[str], Store], fill: Callable[..., None], cell: Cell
) -> None:
    one, two = stores("a"), stores("b")
    fill(one, "x", 0.5)
    fill(two, "x", 0.5, data=replace(cell.data, protocol_sha256="b" * 64))
    with pytest.raises(ConfigError, match=r"of digest aaaaaaaa and .* of digest bbbbbbbb"):
        compare_stores(samples(one), samples(two))


def test_other_metric_definitions_are_refused_by_name_unless_told(
    stores: Callable[[str], Store], fill: Callable[..., None]
) -> None:
    store = stores("a")
    fill(store, "x", 0.5)
    fill(store, "yy", 0.7, metric=OTHER)
    named = ("trunk + x", "trunk + yy")
    found = samples(store, or_like=True)
    with pytest.raises(ConfigError, match=r"different metric definitions .*div=hits.*div=min"):
        compare_samples(found, named=named)
    (group,) = compare_samples(found, named=named, across=[Across.METRICS])
    assert group.rows[0].paired


def test_other_device_classes_are_refused_by_name_unless_told(
    stores: Callable[[str], Store], fill: Callable[..., None], fit_record: FitRecord
) -> None:
    one, two = stores("a"), stores("b")
    card = Device(kind="cuda", name="loom", memory_bytes=1)
    fill(one, "x", 0.5)
    fill(two, "x", 0.5, environment=fit_record.environment.model_copy(update={"device": card}))
    with pytest.raises(ConfigError, match=r"classes \(cpu abacus \(x86-64-v3\) and cuda loom\)"):
        compare_stores(samples(one), samples(two))
    rows, skipped = compare_stores(samples(one), samples(two), across=[Across.DEVICES])
    assert (len(rows), skipped) == (1, [])
    assert (rows[0].effect.mean, rows[0].ties) == (pytest.approx(0, abs=1e-12), 60)


def test_two_stores_compare_methods_of_the_same_name_and_name_the_rest(
    stores: Callable[[str], Store], fill: Callable[..., None]
) -> None:
    one, two = stores("a"), stores("b")
    for loss, before, after in (("x", 0.5, 0.6), ("yy", 0.5, 0.5)):
        fill(one, loss, before)
        fill(two, loss, after)
    fill(one, "zzz", 0.5)
    rows, skipped = compare_stores(samples(one), samples(two))
    assert [round(row.effect.mean, 4) for row in rows] == [-0.1, 0.0]
    assert [row.shown for row in rows] == [True, False]
    assert skipped == ["only in the first store: trunk + zzz"]


def test_stores_without_a_common_method_are_refused(
    stores: Callable[[str], Store], fill: Callable[..., None]
) -> None:
    one, two = stores("a"), stores("b")
    fill(one, "x", 0.5)
    fill(two, "yy", 0.5)
    with pytest.raises(ConfigError, match="no method in common"):
        compare_stores(samples(one), samples(two))


def test_a_metric_without_values_a_query_is_refused(
    stores: Callable[[str], Store], write_cell: Callable[..., Any], cell: Cell
) -> None:
    store = stores("a")
    _, evaluation = write_cell(store, cell, {METRIC: NOISE})
    bare = evaluation.model_copy(
        update={"artifacts": {}, "finished": "2026-02-01", "record_id": ""}
    )
    store.write_record(bare)
    with pytest.raises(ConfigError, match="has no per-query values of it"):
        samples(store)
