"""Published figures stand beside ours only where everything is the same."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import BackboneMode, Subset, Weights
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.reports.published import FILE, figures, published_tables
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
Made = Callable[..., CellResults]
DSH = {"loss": "dsh", "dataset": "cifar10", "protocol": "cifar10-1@1", "bits": 48}


def shown(cells: list[CellResults]) -> list[list[str]]:
    (table,) = published_tables(cells, trace=False)
    return table.frame.values.tolist()


def test_a_figure_stands_beside_our_mean_with_its_source(made: Made) -> None:
    cells = [made(0.7, **DSH), made(0.8, seed=1, **DSH)]

    # The README of DeepHash-pytorch gives DSH 0.800 at 48 bits on its cifar10-1.
    assert shown(cells) == [
        [
            *("alexnet + dsh", "48", "0.8", "0.7500 ± 0.0707", "2", "-0.0500"),
            "DeepHash-pytorch, README",
        ]
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"bits": 32},
        {"backbone": "resnet18"},
        {"loss": "idhn"},
        {"weights": Weights()},
    ],
)
def test_where_anything_differs_the_cell_stays_empty(made: Made, other: dict[str, Any]) -> None:
    ((_, _, published, ours, _, difference, source),) = shown([made(0.7, **{**DSH, **other})])

    assert (published, ours, difference, source) == ("", "0.7000", "", "")


def test_a_frozen_network_is_not_set_beside_a_tuned_one(made: Made) -> None:
    tuned = made(0.7, **DSH)
    assert tuned.fit is not None and tuned.fit.cell.train is not None
    frozen = replace(tuned.fit.cell.train, backbone=BackboneMode.FROZEN)

    assert shown([made(0.7, train=frozen, **DSH)])[0][2] == ""


@pytest.mark.parametrize(
    "metric",
    [
        "map@1000/div=hits/ties=expected/empty=zero",
        "map@all/div=min/ties=expected/empty=zero",
        "map@all/div=hits/ties=best/empty=zero",
        "ndcg@all/ties=expected/empty=zero",
    ],
)
def test_other_metrics_and_cut_offs_have_no_table(made: Made, metric: str) -> None:
    assert published_tables([made(metrics={metric: 0.7}, **DSH)], trace=False) == []


def test_other_protocols_and_parts_of_one_have_no_table(made: Made) -> None:
    whole = made(0.7, **DSH)
    assert whole.fit is not None
    part = replace(whole.fit.cell.data, subset=Subset(100, 10, 100))

    assert published_tables([made(0.7, data=part, **DSH)], trace=False) == []
    assert published_tables([made(0.7)], trace=False) == []


def test_settings_that_a_figure_names_must_be_equal(made: Made) -> None:
    usual = {**DSH, "loss": "orthohash", "bits": 64}

    # OrthoHash's README: 0.824 at 64 bits with a margin of 0.3.
    assert shown([made(0.8, params={"margin": 0.3}, **usual)])[0][2] == "0.824"
    assert shown([made(0.8, params={"margin": 0.2}, **usual)])[0][2] == ""


def test_every_figure_is_a_share_with_a_source_and_every_source_is_used() -> None:
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))

    assert all(0 < figure.value < 1 and figure.source for figure in figures())
    assert {group["source"] for group in document["sets"]} == set(document["sources"])


def test_figures_with_a_protocol_name_one_of_ours_its_dataset_and_a_cut_off() -> None:
    for figure in (each for each in figures() if each.protocol):
        assert load_protocol(figure.protocol).dataset == figure.dataset
        assert figure.cutoff == "all" or isinstance(figure.cutoff, int)
        assert registry().find(Kind.BACKBONE, figure.backbone), figure


def test_no_two_figures_of_one_source_contradict_each_other() -> None:
    seen = [replace(figure, value=0.0) for figure in figures()]
    assert all(seen.count(figure) == 1 for figure in seen)
