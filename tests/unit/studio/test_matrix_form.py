"""The form writes matrices that hashbench itself accepts, and that mean what was entered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hashbench.cli.loading import Wanted, load
from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind
from hashbench.studio.forms.matrix_form import Form, Part, whole_numbers

HSC = Part(Kind.LOSS, "hsc")
MLP = Part(Kind.BACKBONE, "mlp")
FORM = Form("digits", "", HSC, MLP, bits=[16], seeds=[0])


def loaded(form: Form, folder: Path) -> Wanted:
    file = folder / "matrix.yaml"
    file.write_text(form.text())
    return load(file)


def only_cell(form: Form, folder: Path) -> Cell:
    (cell,) = loaded(form, folder).cells
    return cell


def test_a_form_left_as_it_is_means_the_matrix_written_by_hand(tmp_path: Path) -> None:
    by_hand = tmp_path / "by-hand.yaml"
    by_hand.write_text(
        "version: 1\nname: x\ndatasets: digits\nbits: 16\n"
        "methods: {grid: {backbones: mlp, losses: hsc}}\n"
    )
    (expected,) = load(by_hand).cells

    assert only_cell(FORM, tmp_path).fit_id == expected.fit_id


def test_what_was_entered_is_in_the_cells(tmp_path: Path) -> None:
    form = replace(
        FORM,
        protocol="digits-2@1",
        method=replace(HSC, entered={"temperature": "0.35", "classification": "0.5"}),
        backbone=replace(MLP, entered={"width": "64"}),
        bits=[16, 48],
        seeds=[3, 4],
        train={"recipe": "csq", "epochs": 7, "lr": 0.002, "batch_size": None},
        validation=0.2,
        every=2,
        cutoff=50,
    )
    wanted = loaded(form, tmp_path)
    cell = wanted.cells[0]

    assert {(c.bits, c.seed) for c in wanted.cells} == {(16, 3), (16, 4), (48, 3), (48, 4)}
    assert cell.data.protocol == "digits-2@1"
    assert cell.loss is not None and cell.loss.params["temperature"] == 0.35
    assert cell.backbone is not None and cell.backbone.params == {"width": 64}
    train = cell.train
    assert train is not None and train.validation is not None
    assert (train.recipe, train.epochs, train.lr, train.batch_size) == ("csq", 7, 0.002, 64)
    assert train.validation.fraction == 0.2
    assert wanted.request.validate_every == 2
    assert wanted.request.keep_model
    assert {name.partition("/")[0] for name in wanted.request.metrics} == {"map@all", "map@50"}


def test_only_what_departs_from_the_preset_is_written() -> None:
    part = Part(Kind.LOSS, "csq", "paper", {"quantisation": "0.05", "centres": "maxhd"})

    assert part.entry() == {"name": "csq", "preset": "paper", "params": {"centres": "maxhd"}}


def test_a_parameter_that_may_have_no_value_is_emptied(tmp_path: Path) -> None:
    form = replace(FORM, method=Part(Kind.LOSS, "dtsh", None, {"margin": "", "half": False}))
    cell = only_cell(form, tmp_path)

    assert cell.loss is not None
    assert (cell.loss.params["margin"], cell.loss.params["half"]) == (None, False)


def test_a_shallow_method_works_on_pixels_and_is_not_trained(tmp_path: Path) -> None:
    form = replace(FORM, method=Part(Kind.METHOD, "itq"), backbone=None, train={"epochs": 5})
    cell = only_cell(form, tmp_path)

    assert (cell.method_label, cell.train) == ("itq on pixels", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": ""}, "dataset: choose one"),
        ({"bits": []}, "bits: choose at least one"),
        ({"backbone": None}, "backbone: choose one"),
        ({"method": replace(HSC, entered={"temperature": "warm"})}, "temperature: should be a num"),
        ({"backbone": replace(MLP, entered={"width": "1.5"})}, "width: should be a whole number"),
        ({"method": Part(Kind.LOSS, "hcs")}, "Did you mean 'hsc'"),
    ],
)
def test_what_cannot_be_is_told_with_its_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(FORM, **change).text()


def test_a_name_with_markup_gives_a_matrix_with_a_plain_name() -> None:
    form = replace(FORM, dataset="imported/<b>$x", validation=0.0)

    assert yaml.safe_load(form.text())["name"] == "b-x-hsc-mlp"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", [0]), (" 3, 1 2;2 ", [3, 1, 2]), ("0-3", [0, 1, 2, 3]), ("7-8 1", [7, 8, 1])],
)
def test_seeds_are_listed_or_given_as_a_range(text: str, numbers: list[int]) -> None:
    assert whole_numbers(text, what="seeds") == numbers


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1-", "0-5000", "1 - 3"])
def test_other_words_are_no_seeds(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^seeds: "):
        whole_numbers(text, what="seeds")
