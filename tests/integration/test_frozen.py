"""Freezing is a stated part of a cell: of its id, its record and its name in tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.cell import BackboneMode, Cell, Component
from hashbench.core.errors import ConfigError
from hashbench.core.record import Status
from hashbench.core.registry import Registry
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.reports.formats.markdown import render
from hashbench.reports.labels import method_labels
from hashbench.store.catalogue import read_all

Read = Callable[[str], list[Cell]]
MATRIX = """
version: 1
name: frozen
datasets: [{{name: fashion_mnist_mini, subset: {{train: 100}}}}]
methods: {{pairs: [{{backbone: {backbone}, loss: {loss}}}]}}
bits: [16]
train: {{{train}}}
"""


@pytest.fixture
def cells(tmp_path: Path, components: Registry) -> Callable[..., list[Cell]]:
    """Return what reads a matrix with some training settings and gives its cells."""

    def read(train: str, *, backbone: str = "resnet_mini", loss: str = "csq") -> list[Cell]:
        file = tmp_path / "matrix.yaml"
        file.write_text(MATRIX.format(train=train, backbone=backbone, loss=loss))
        return list(expand(load_matrix(file, components), components).cells)

    return read


def test_freezing_makes_another_cell_and_writing_out_the_default_does_not(
    cells: Callable[..., list[Cell]],
) -> None:
    (usual,) = cells("epochs: 2")
    (written,) = cells("epochs: 2, backbone: tuned")
    (frozen,) = cells("epochs: 2, backbone: frozen")

    assert usual == written
    assert usual.fit_id == written.fit_id != frozen.fit_id
    assert frozen.train is not None and frozen.train.backbone is BackboneMode.FROZEN
    assert str(frozen).split(" | ")[1] == "resnet_mini (frozen) + csq"
    assert str(usual).split(" | ")[1] == "resnet_mini + csq"


AEM = "parts that no published weights hold"


@pytest.mark.parametrize(
    ("train", "methods", "problem"),
    [
        ("backbone: frozen, augmentation: flip", {}, "augmentation flip would change it"),
        ("backbone: frozen", {"backbone": "{name: vit, neck: vts}"}, "vts reads its tokens"),
        ("backbone: frozen", {"backbone": "ae_vit_mini"}, AEM),
        (
            "backbone: frozen",
            {"backbone": "{name: ae_vit, weights: timm/vit_base_patch16_224}"},
            AEM,
        ),
    ],
)
def test_what_a_frozen_backbone_cannot_do_is_one_line_at_its_place(
    train: str, methods: dict[str, str], problem: str, cells: Callable[..., list[Cell]]
) -> None:
    with pytest.raises(ConfigError) as caught:
        cells(train, **methods)
    (line,) = caught.value.problems
    assert problem in line
    assert "matrix.yaml:5:" in line
    assert len(cells(train.replace("frozen", "tuned"), **methods)) == 1


def test_a_neck_that_reads_tokens_is_refused_where_there_are_none(
    cells: Callable[..., list[Cell]],
) -> None:
    with pytest.raises(ConfigError, match=r"backbone\.neck: vts joins .* resnet18 has none"):
        cells("epochs: 2", backbone="{name: resnet18, neck: vts}")


def test_plain_ae_vit_without_its_parts_can_be_frozen(cells: Callable[..., list[Cell]]) -> None:
    assert cells("backbone: frozen", backbone="{name: ae_vit_mini, preset: none}")


def test_a_network_of_timm_is_named_in_a_matrix_like_any_other(
    cells: Callable[..., list[Cell]],
) -> None:
    (cell,) = cells("epochs: 2", backbone="timm/test_vit")

    assert cell.backbone == Component("timm/test_vit", 1)
    assert cell.data.image_size == 160
    with pytest.raises(ConfigError, match="Did you mean 'timm/test_vit'"):
        cells("epochs: 2", backbone="timm/tset_vit")


@pytest.fixture
def frozen(cell: Cell) -> Cell:
    """Return the small deep cell of these tests with its backbone frozen."""
    assert cell.train is not None
    settings: dict[str, Any] = {"prepass": None, "augmentation": "none", "backbone_lr": 0.0}
    train = replace(cell.train, backbone=BackboneMode.FROZEN, **settings)
    return replace(cell, backbone=Component("mlp", 1), loss=Component("csq", 1), train=train)


def test_frozen_and_tuned_rows_have_names_of_their_own(
    bench: Callable[[str], Any], frozen: Cell
) -> None:
    assert frozen.train is not None
    tuned = replace(frozen, train=replace(frozen.train, backbone=BackboneMode.TUNED))
    workplace = bench("store")

    fits = [workplace.run(each) for each in (frozen, tuned)]

    assert [fit.status for fit in fits] == [Status.OK, Status.OK]
    assert [("features" in fit.phases) for fit in fits] == [True, False]
    names = ["mlp (frozen) + csq", "mlp + csq"]
    assert [method_labels(fits)[fit.record_id] for fit in fits] == names
    report = render(read_all(workplace.store), trace=True)
    table = report.split("## map@all on ")[1].split("\n## ")[0]
    first = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert sorted(first[1:]) == sorted(names)


def test_two_runs_of_a_frozen_cell_give_equal_codes(
    bench: Callable[[str], Any], frozen: Cell
) -> None:
    one, two = bench("one"), bench("two")

    assert one.code_bytes(one.run(frozen)) == two.code_bytes(two.run(frozen))
