"""Trainings that cannot be: `check` says so in one line a method, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hashbench.core.errors import ConfigError

MATRIX = """\
datasets: [digits]
methods: {{pairs: [{{backbone: mlp, loss: {loss}}}]}}
bits: [{bits}]
seeds: [0, 1]
train: {{epochs: 1, prepass: {prepass}, backbone: {backbone}, augmentation: {augmentation}{more}}}
"""
USUAL = {
    "bits": 32,
    "prepass": "pixels",
    "backbone": "tuned",
    "augmentation": "none",
    "more": "",
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"loss": "{name: csq, params: {centres: hadamard}}", "bits": 48},
            "csq on mlp: centres: 'hadamard' needs a code length that is a power of two, got 48 "
            "bits; use 'maxhd' or 'bernoulli_half'",
        ),
        (
            {"loss": "{name: dpn, params: {centres: hadamard_random}}", "bits": 12},
            "dpn on mlp: centres: 'hadamard_random' needs a code length that is a power of two",
        ),
        (
            {"loss": "{name: orthohash, params: {centres: hadamard}}", "bits": 24},
            "orthohash on mlp: centres: 'hadamard' needs",
        ),
        (
            {"loss": "{name: dfh, params: {centres: hadamard}}", "bits": 36},
            "dfh on mlp: centres: 'hadamard' needs",
        ),
        (
            {"loss": "{name: ud2h, params: {mode: tuned}}", "backbone": "frozen"},
            "ud2h on mlp: mode 'tuned' reads the features anew while the backbone learns, and this "
            "one is frozen. Write mode: frozen",
        ),
        (
            {"loss": "ud2h", "prepass": "random"},
            "ud2h on mlp: mode 'frozen' takes the features for fixed, and the backbone they come "
            "from learns. Write mode: tuned, train: {backbone: frozen} or, for features that are "
            "the pixels, train: {prepass: pixels}",
        ),
        (
            {"loss": "dsh", "more": ", batch_size: 10, accumulate: 4"},
            "dsh on mlp: accumulate 4 does not divide batch_size 10 into equal parts of at least 2 "
            "images, of which pairs can be made. Change one of the two",
        ),
        (
            {"loss": "dsh", "more": ", fused: true, optimiser: rmsprop"},
            "dsh on mlp: rmsprop has no fused form. Write train: {fused: false}, or use adam",
        ),
        (
            {"loss": "cibhash"},
            "cibhash on mlp: it compares 2 augmented views of an image, and without augmentation "
            "they are the same. Write train: {augmentation: cibhash}",
        ),
        (
            {"loss": "hsc", "backbone": "frozen", "augmentation": "flip"},
            "hsc on mlp: a frozen backbone sees every image once",
        ),
    ],
)
def test_a_training_that_cannot_be_is_refused_once(
    changes: dict[str, Any], problem: str, expanded: Callable[[str], Any]
) -> None:
    with pytest.raises(ConfigError) as caught:
        expanded(MATRIX.format(**{**USUAL, **changes}))
    (line,) = caught.value.problems
    assert problem in line


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "{name: csq, params: {centres: hadamard}}"},
        {"loss": "{name: ud2h, params: {mode: tuned}}", "prepass": "random"},
        {"loss": "ud2h", "backbone": "frozen", "prepass": "random"},
        {"loss": "ud2h"},
        {"loss": "cibhash", "augmentation": "cibhash", "backbone": "frozen"},
        {"loss": "hsc", "backbone": "frozen"},
        {"loss": "dsh", "more": ", batch_size: 8, accumulate: 4, fused: true, optimiser: sgd"},
    ],
)
def test_what_differs_in_one_setting_is_taken(
    changes: dict[str, Any], expanded: Callable[[str], Any]
) -> None:
    assert len(expanded(MATRIX.format(**{**USUAL, **changes})).cells) == 2


def test_a_loss_of_two_views_brings_its_augmentation(expanded: Callable[[str], Any]) -> None:
    text = MATRIX.format(**{**USUAL, "loss": "dhd"}).replace(", augmentation: none", "")
    settings = {cell.train for cell in expanded(text).cells}
    assert {(s.augmentation, "augmentation" in s.modified) for s in settings} == {("dhd", False)}
