"""What a matrix changes makes another cell, or does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Registry
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix

Ids = Callable[..., list[str]]
MATRIX = """
version: 1
name: fits
datasets: [digits]
methods: {{pairs: [{{backbone: resnet_mini, loss: {loss}}}]}}
bits: [16]
train: {{epochs: {epochs}{train}}}
{more}
"""


@pytest.fixture
def ids(tmp_path: Path, components: Registry) -> Ids:
    """Return what reads a matrix with some settings and gives the ids of its cells."""

    def read(*, loss: str = "csq", epochs: int = 2, train: str = "", more: str = "") -> list[str]:
        file = tmp_path / "matrix.yaml"
        file.write_text(MATRIX.format(loss=loss, epochs=epochs, train=train, more=more))
        return [cell.fit_id for cell in expand(load_matrix(file, components), components).cells]

    return read


@pytest.mark.parametrize(
    "more",
    [
        "evaluate: {metrics: [map, precision], cutoffs: [10, all], radius: 2}",
        "latency: [{engine: exact, k: 7, batches: [1, 3]}]",
        "execute: {device: cpu, threads: 3, timeout: 10m, keep_model: true}",
    ],
)
def test_evaluate_latency_and_execute_are_not_part_of_a_fit(ids: Ids, more: str) -> None:
    assert ids(more=more) == ids()


def test_how_often_to_validate_is_not_part_of_a_fit(ids: Ids) -> None:
    train = ", validation: {fraction: 0.1}"

    assert ids(train=train, more="evaluate: {every: 1}") == ids(train=train)


@pytest.mark.parametrize(
    "train",
    [
        ", precision: bf16",
        ", determinism: fast",
        ", lr: 0.5",
        ", validation: {fraction: 0.1}",
        ", augmentation: flip",
    ],
)
def test_every_training_setting_is_part_of_a_fit(ids: Ids, train: str) -> None:
    assert ids(train=train) != ids()


def test_epochs_are_part_of_a_fit(ids: Ids) -> None:
    assert ids(epochs=3) != ids()


def test_a_prepass_on_a_backbone_without_weights_must_be_asked_for(ids: Ids) -> None:
    with pytest.raises(ConfigError, match=r"matrix\.yaml:.*every_hook.*prepass"):
        ids(loss="every_hook")


def test_the_forms_of_a_prepass_are_different_fits(ids: Ids) -> None:
    found = [
        ids(loss="every_hook", train=f", prepass: {word}, augmentation: flip")
        for word in ("pixels", "random")
    ]

    assert found[0] != found[1]


def test_a_prepass_of_another_name_is_refused(ids: Ids) -> None:
    with pytest.raises(ConfigError, match="prepass"):
        ids(loss="every_hook", train=", prepass: noise")
