"""Ablations: which the full method is, what variants change, and by how much they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.reports.ablation import Family, ablation_tables, families
from hashbench.reports.view import ALL, Comparisons, Difference, View
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
Made = Callable[..., CellResults]
FULL = {"a": 1.0, "b": 1.0, "c": 1.0}


def fits(cells: Sequence[CellResults]) -> list[FitRecord]:
    return [results.fit for results in cells if results.fit]


def one(made: Made, *params: Mapping[str, Any], named: str = "") -> Family:
    (family,) = families(fits([made(params=each) for each in params]), named)
    return family


def test_the_full_method_is_the_one_nearest_to_all_others(made: Made) -> None:
    family = one(made, {**FULL, "a": 0.0}, FULL, {**FULL, "b": 0.0}, {**FULL, "c": 0.5})

    assert family.why == "as the one nearest to all others"
    assert sorted(family.changes.values()) == [
        "loss.a: 1.0 to 0.0",
        "loss.b: 1.0 to 0.0",
        "loss.c: 1.0 to 0.5",
    ]


def test_of_two_variants_neither_is_the_full_one_unless_named(made: Made) -> None:
    pair = (FULL, {**FULL, "a": 0.0})

    assert one(made, *pair).full == ""
    assert one(made, *pair, named="loss.a=0.0").full == "alexnet + hsc (loss.a=0.0)"
    assert one(made, *pair, named="loss.a=0.0").changes == {
        "alexnet + hsc (loss.a=1.0)": "loss.a: 0.0 to 1.0"
    }


def test_a_preset_called_full_is_the_full_method(made: Made) -> None:
    cells = [
        made(params={"a": True}, preset="full"),
        made(params={"a": False}, preset="none"),
    ]

    (family,) = families(fits(cells))

    assert family.why == "by its preset 'full'"
    assert list(family.changes.values()) == ["loss.a: True to False"]


def test_a_method_with_one_setting_is_no_ablation(made: Made) -> None:
    assert families(fits([made(seed=0), made(seed=1), made(loss="dsh")])) == []


def test_variants_on_other_devices_or_at_other_lengths_are_other_families(made: Made) -> None:
    cells = [
        made(params=params, **where)
        for params in ({"a": 1}, {"a": 2})
        for where in ({}, {"bits": 64}, {"device": "loom", "seed": 5})
    ]

    assert [(family.bits, family.device_name) for family in families(fits(cells))] == [
        (16, "abacus (x86-64-v3)"),
        (64, "abacus (x86-64-v3)"),
        (16, "loom (x86-64-v3)"),
    ]


def test_a_full_method_that_is_none_is_refused(made: Made) -> None:
    with pytest.raises(ConfigError, match="--full nope: no method has this in its label"):
        families(fits([made()]), "nope")


def test_the_table_has_each_difference_with_its_interval(made: Made) -> None:
    full = made(0.9, params=FULL)
    less = made(0.7, params={**FULL, "a": 0.0})
    more = made(0.91, params={**FULL, "b": 2.0})
    known = {
        (MAP, less.evaluations[0].record_id): Difference(-0.2, -0.25, -0.15, 1e-6, 1),
        (MAP, more.evaluations[0].record_id): Difference(0.01, -0.02, 0.04, 0.5, 1),
    }
    view = View(tables=("ablation",), comparisons=Comparisons(differences=known))

    (table,) = ablation_tables([less, more, full], trace=False, view=view)

    assert table.title == "Ablation of alexnet + hsc at 16 bits on toy@1"
    assert table.frame.values.tolist() == [
        ["nothing: the full method", "1", "0.9000", "", "", ""],
        ["loss.a: 1.0 to 0.0", "1", "0.7000", "-0.2000", "[-0.2500, -0.1500]", "< 0.0001"],
        ["loss.b: 1.0 to 2.0", "1", "0.9100", "+0.0100", "[-0.0200, +0.0400]", "0.5000"],
    ]


def test_where_the_full_method_is_not_known_who_asks_is_told_how_to_name_it(made: Made) -> None:
    cells = [made(params={"a": 1}), made(params={"a": 2})]

    (table,) = ablation_tables(cells, trace=False, view=View(tables=("ablation",)))

    assert table.notes == ("the full method is not known; name it with --full",)
    assert ablation_tables(cells, trace=False, view=View(tables=ALL)) == []


def test_what_only_names_other_settings_is_no_change(made: Made) -> None:
    cells = [made(params={**FULL, key: 0.0}, preset=f"no_{key}") for key in FULL]

    (family,) = families(fits([*cells, made(params=FULL)]))

    assert sorted(family.changes.values()) == [
        "loss.a: 1.0 to 0.0",
        "loss.b: 1.0 to 0.0",
        "loss.c: 1.0 to 0.0",
    ]
