"""Claims against records made up so that the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.core.cell import BackboneMode, Cell, Component, Head, Weights
from hashbench.core.record import FitRecord
from hashbench.judge.claims.arms import read_arms
from hashbench.judge.claims.judge import Judgement, Verdict, judge
from hashbench.judge.claims.schema import ClaimSpec
from hashbench.judge.claims.text import judgements_text
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"
NOISE = np.random.default_rng(0).normal(0, 0.05, 60)
CONTROLS = ["pretraining", "neck", "image_size", "recipe", "epochs"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def fill(store: Store, cell: Cell, write_cell: Callable[..., Any]) -> Callable[..., list[str]]:
    """Write a backbone's seeds with values around a mean; gives the evaluations' ids."""

    def write(
        backbone: str,
        mean: float,
        *,
        seeds: Sequence[int] = (0, 1, 2),
        metric: str = METRIC,
        record: Callable[[int], dict[str, Any]] = lambda _: {},
        **changes: Any,
    ) -> list[str]:
        ids = []
        for seed in seeds:
            rng = np.random.default_rng([seed, *backbone.encode()])
            own = replace(cell, backbone=Component(backbone, 1), seed=seed, **changes)
            values = {metric: mean + NOISE + rng.normal(0, 0.002, 60)}
            fit, evaluation = write_cell(store, own, values, **record(seed))
            ids += [evaluation.record_id if metric else fit.record_id]
        return ids

    return write


def claim(**changes: Any) -> ClaimSpec:
    usual = {
        "name": "new-above-old",
        "says": "New is above old.",
        "source": "this test",
        "better": {"backbone": "new"},
        "than": {"backbone": "old"},
        "matching": "loss",
        "quantities": "map@all",
        "direction": "higher",
        "controls": {"same": CONTROLS, "seeds": 3},
    }
    return ClaimSpec.model_validate(usual | changes)


def judged(store: Store, **changes: Any) -> Judgement:
    return judge(claim(**changes), read_arms([(store, read_all(store))]))


def test_a_clear_advantage_is_supported_with_interval_n_and_records(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    records = fill("new", 0.7) + fill("old", 0.6)
    found = judged(store)
    assert str(found) == "supported"
    (check,) = (each.check for each in found.checks)
    assert check.effect is not None
    assert check.effect.low < 0.1 < check.effect.high
    assert (check.effect.seeds, check.effect.queries) == (3, 60)
    assert list(check.records) == records


def test_a_clear_disadvantage_is_refuted(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.6)
    fill("old", 0.7)
    assert str(judged(store)) == "refuted (1 of 1 comparisons against it, 0 for it)"


def test_too_close_to_tell_is_undecided(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7)
    fill("old", 0.7001)
    assert str(judged(store)) == "undecided (1 of 1 comparisons leave it open)"


def test_nothing_to_compare_is_undecided(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7)
    assert str(judged(store)) == "undecided (no records)"


@pytest.mark.parametrize(("new", "old"), [(0.9, 0.5), (0.5, 0.9)])
def test_records_that_confound_pretraining_neither_support_nor_refute(
    store: Store, fill: Callable[..., list[str]], new: float, old: float
) -> None:
    fill("new", new, weights=Weights("timm/vit_base_patch16_224.augreg_in21k"))
    fill("old", old, weights=Weights("timm/resnet50.a1_in1k"))
    found = judged(store)
    assert str(found) == "undecided (control broken: pretraining)"
    assert found.checks[0].check.effect is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("none", "none", True),
        ("none", "timm/resnet50.a1_in1k", False),
        ("timm/vit_tiny.augreg_in1k", "timm/resnet50.a1_in1k", True),
        ("timm/vit_tiny.augreg_in21k_ft_in1k", "timm/resnet50.a1_in1k", False),
        ("timm/first", "timm/second", False),  # tags that do not say what they saw
    ],
)
def test_pretraining_is_the_images_and_not_the_tag(
    store: Store, fill: Callable[..., list[str]], one: str, other: str, same: bool
) -> None:
    fill("new", 0.7, weights=Weights(one))
    fill("old", 0.6, weights=Weights(other))
    expected = "supported" if same else "undecided (control broken: pretraining)"
    assert str(judged(store)) == expected


def test_every_broken_control_is_named(
    store: Store, fill: Callable[..., list[str]], cell: Cell
) -> None:
    assert cell.train is not None
    fill("new", 0.7, head=Head("vts", "bn"), train=replace(cell.train, epochs=4), seeds=(0, 1))
    fill("old", 0.6, data=replace(cell.data, image_size=32))
    expected = "undecided (control broken: neck, image_size, epochs, seeds)"
    assert str(judged(store)) == expected


def test_another_recipe_or_other_modifications_of_it_break_the_control(
    store: Store, fill: Callable[..., list[str]], cell: Cell
) -> None:
    assert cell.train is not None
    fill("new", 0.7, train=replace(cell.train, recipe="vts"))
    fill("old", 0.6)
    assert str(judged(store)) == "undecided (control broken: recipe)"
    fill("newer", 0.7, train=replace(cell.train, modified=("epochs", "lr"), lr=0.1))
    assert str(judged(store, better={"backbone": "newer"})) == "undecided (control broken: recipe)"


def test_a_control_that_a_claim_does_not_state_does_not_count(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    fill("new", 0.7, head=Head("vts", "bn"))
    fill("old", 0.6)
    assert str(judged(store, controls={"same": ["pretraining"], "seeds": 3})) == "supported"


def test_broken_records_beside_good_ones_change_nothing(
    store: Store, fill: Callable[..., list[str]], cell: Cell
) -> None:
    fill("new", 0.7)
    fill("old", 0.6)
    fill("old", 0.9, weights=Weights("timm/resnet50.a1_in1k"))
    found = judged(store)
    assert str(found) == "supported"
    assert sorted(bool(each.check.broken) for each in found.checks) == [False, True]


def test_every_length_must_hold_and_one_that_does_not_refutes(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    for bits, old in ((16, 0.6), (32, 0.8)):
        fill("new", 0.7, bits=bits)
        fill("old", old, bits=bits)
    found = judged(store)
    assert found.verdict is Verdict.REFUTED
    assert [each.verdict.value for each in found.checks] == ["supported", "refuted"]


def test_lengths_and_losses_are_not_mixed(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7, bits=16)
    fill("old", 0.6, bits=32)
    fill("old", 0.6, bits=16, loss=Component("other", 1))
    assert str(judged(store)) == "undecided (no records)"


def test_each_rival_must_have_records(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7)
    fill("old", 0.6)
    found = judged(store, than=[{"backbone": "old"}, {"backbone": "older"}])
    assert str(found) == "undecided (no records of map@all against older)"


def test_each_metric_must_have_records(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7)
    fill("old", 0.6)
    found = judged(store, quantities=["map@all", "ndcg@100"])
    assert str(found) == "undecided (no records of ndcg@100 against old)"


def test_longer_codes_may_lose_no_more_than_the_margin(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    for bits, mean in ((16, 0.6), (32, 0.7), (64, 0.695)):
        fill("new", mean, bits=bits)
    ladder = {"longer_codes": True, "than": [], "better": {}, "matching": []}
    assert str(judged(store, **ladder, margin=-0.01)) == "supported"
    found = judged(store, **ladder, margin=-0.001)
    assert str(found) == "refuted (1 of 2 comparisons against it, 1 for it)"


def test_a_setting_selects_what_is_compared(
    store: Store, fill: Callable[..., list[str]], cell: Cell
) -> None:
    assert cell.train is not None
    for mode, mean in ((BackboneMode.TUNED, 0.7), (BackboneMode.FROZEN, 0.6)):
        fill("new", mean, train=replace(cell.train, backbone=mode))
    found = judged(
        store,
        better={"settings": {"train.backbone": "tuned"}},
        than={"settings": {"train.backbone": "frozen"}},
    )
    assert str(found) == "supported"


def _lasting(seconds: float) -> Callable[[int], dict[str, Any]]:
    return lambda seed: {"phases": {"train": seconds + 0.01 * seed, "load": 99.0}}


def test_training_time_is_a_ratio_over_seeds(store: Store, fill: Callable[..., list[str]]) -> None:
    fill("new", 0.7, record=_lasting(10))
    fill("old", 0.7, record=_lasting(20))
    found = judged(store, quantities="training_seconds", direction="lower")
    assert str(found) == "supported"
    effect = found.checks[0].check.effect
    assert effect is not None
    assert np.exp(effect.mean) == pytest.approx(2.0, abs=2e-3)
    assert effect.over == "seeds"
    assert "x 2.00" in judgements_text([found])


def test_times_of_different_hosts_are_not_compared(
    store: Store, fill: Callable[..., list[str]], fit_record: FitRecord
) -> None:
    other = fit_record.environment.model_copy(update={"threads": 8})
    fill("new", 0.7, record=lambda seed: _lasting(10)(seed) | {"environment": other})
    fill("old", 0.7, record=_lasting(20))
    found = judged(store, quantities="training_seconds", direction="lower")
    assert str(found) == "undecided (control broken: host)"


def _learning(quality: Sequence[float]) -> Callable[[int], dict[str, Any]]:
    history = [
        {"epoch": epoch, f"validation/{METRIC}": value} for epoch, value in enumerate(quality, 1)
    ]
    return lambda seed: {"history": history, "phases": {"train": 10.0, "prepass": 1.0}}


def test_convergence_is_read_off_the_validation(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    fill("new", 0.7, record=_learning([0.5, 0.81, 0.9, 0.9]))
    fill("old", 0.7, record=_learning([0.1, 0.2, 0.3, 0.8]))
    for quantity, ratio in (("epochs_to@0.8", 4 / 2), ("seconds_to@0.8", 11 / 6)):
        found = judged(store, quantities=quantity, direction="lower")
        effect = found.checks[0].check.effect
        assert effect is not None
        assert np.exp(effect.mean) == pytest.approx(ratio)
    never = judged(store, quantities="epochs_to@0.95", direction="lower")
    assert str(never) == "undecided (no records)"


def test_the_text_shows_controls_interval_and_record_ids(
    store: Store, fill: Callable[..., list[str]]
) -> None:
    records = fill("new", 0.7) + fill("old", 0.6)
    text = judgements_text([judged(store)])
    assert "## new-above-old: supported" in text
    assert "Controls: pretraining, neck, image_size, recipe, epochs, at least 3 seeds." in text
    assert " ".join(records) in text
    assert "3 x 60" in text
    assert text.endswith("Claims: 1 supported.")


def test_two_methods_of_one_name_are_told_apart(
    store: Store, cell: Cell, fill: Callable[..., list[str]]
) -> None:
    assert cell.train is not None
    longer = replace(cell.train, weight_decay=0.5)
    fill("new", 0.7)
    fill("new", 0.8, train=longer)
    fill("old", 0.6)
    rows = judgements_text([judged(store)]).splitlines()
    first = [row.split("|")[1].strip() for row in rows if row.startswith("| new")]
    assert sorted(first) == [
        "new + pairwise (train.weight_decay=0.5)",
        f"new + pairwise (train.weight_decay={cell.train.weight_decay})",
    ]
    assert [row.split("|")[2].strip() for row in rows if row.startswith("| new")] == (
        ["old + pairwise"] * 2
    )
