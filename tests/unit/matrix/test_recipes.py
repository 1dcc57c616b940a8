"""Recipes, against the published settings, and what a matrix changes in them."""

from __future__ import annotations

from typing import Any

import pytest

from hashbench.core.cell import Schedule, TrainSettings, Validation
from hashbench.matrix.recipes import recipes
from hashbench.matrix.training_schema import TrainSpec
from hashbench.matrix.training_settings import resolve_training

CONSTANT = Schedule("constant")


def resolve(
    recipe: str | None = None,
    *,
    backbone: str = "resnet18",
    pretrained: bool = True,
    train_size: int = 5000,
    **own: Any,
) -> TrainSettings:
    return resolve_training(
        TrainSpec.model_validate({"recipe": recipe, **own}),
        backbone=backbone,
        pretrained=pretrained,
        usual_augmentation="flip",
        train_size=train_size,
        prepass=None,
    )


# optimiser, head rate, backbone rate, weight decay, momentum, nesterov, batch, epochs, schedule
PUBLISHED = {
    "ours": ("adam", 1e-4, 1e-5, 1e-5, 0, False, 64, 100, Schedule("cosine", 0.01)),
    "deephash": ("rmsprop", 1e-5, 1e-5, 1e-5, 0, False, 64, 150, CONSTANT),
    "deephash-greedy": (
        *("sgd", 1e-3, 1e-3, 5e-4, 0.9, False, 64, 200),
        Schedule("step", 0.1, tuple(epoch / 200 for epoch in (30, 60, 90, 120, 150, 180))),
    ),
    "vts": ("adam", 1e-5, 1e-5, 0, 0, False, 32, 150, CONSTANT),
    "ortho": ("adam", 1e-4, 1e-5, 5e-4, 0, False, 256, 100, Schedule("step", 0.1, (0.8,))),
    # 10,000 steps of 72 images; 5,000 images make 70 steps a pass, so 143 passes.
    "hashnet": (
        *("sgd", 10 * 3e-4, 3e-4, 5e-4, 0.9, True, 72, 143),
        Schedule("step", 0.5, (0.2, 0.4, 0.6, 0.8)),
    ),
    "csq": (
        *("adam", 1e-3, 0.05 * 1e-3, 0, 0, False, 64, 90),
        Schedule("step", 0.7, tuple(epoch / 90 for epoch in range(10, 90, 10))),
    ),
}


def test_there_are_exactly_the_published_recipes() -> None:
    assert set(recipes()) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_its_published_values(name: str) -> None:
    found, schedule = resolve(name), PUBLISHED[name][-1]
    values = (
        found.optimiser,
        found.lr,
        found.backbone_lr,
        found.weight_decay,
        found.momentum,
        found.nesterov,
        found.batch_size,
        found.epochs,
    )
    assert values == pytest.approx(PUBLISHED[name][:-1])
    assert (found.schedule.kind, found.schedule.factor) == (schedule.kind, schedule.factor)
    assert found.schedule.milestones == pytest.approx(schedule.milestones, abs=1e-4)
    assert (found.recipe, found.modified, found.augmentation) == (name, (), "flip")


def test_a_step_of_csq_comes_after_every_tenth_epoch() -> None:
    milestones = resolve("csq").schedule.milestones
    drops = [sum(epoch / 90 >= milestone for milestone in milestones) for epoch in range(90)]
    assert drops == [epoch // 10 for epoch in range(90)]


def test_ours_is_the_default() -> None:
    assert resolve() == resolve("ours")


def test_from_scratch_ours_trains_all_layers_at_one_rate() -> None:
    found = resolve("ours", pretrained=False)
    assert (found.lr, found.backbone_lr) == (1e-3, 1e-3)
    assert found.modified == ()


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "ours"])
def test_recipes_that_say_nothing_of_it_are_the_same_from_scratch(name: str) -> None:
    assert resolve(name, pretrained=False) == resolve(name)


def test_csq_has_other_rates_for_alexnet() -> None:
    found = resolve("csq", backbone="alexnet")
    assert (found.lr, found.backbone_lr) == (1e-4, pytest.approx(0.01 * 1e-4))
    assert found.modified == ()


def test_explicit_keys_win_and_are_named_as_modified() -> None:
    schedule = {"kind": "step", "factor": 0.1, "milestones": [0.5]}
    found = resolve("vts", lr=3e-4, epochs=10, schedule=schedule, augmentation="none")
    assert (found.lr, found.epochs, found.augmentation) == (3e-4, 10, "none")
    assert found.schedule == Schedule("step", 0.1, (0.5,))
    assert found.modified == ("augmentation", "epochs", "lr", "schedule")
    assert found.optimiser == "adam"


def test_an_explicit_key_that_says_what_the_recipe_says_modifies_nothing() -> None:
    schedule = {"kind": "cosine", "factor": 0.01}
    found = resolve("ours", epochs=100, lr=1e-4, augmentation="flip", schedule=schedule)
    assert found == resolve("ours")


def test_epochs_of_a_recipe_of_iterations_are_a_modification() -> None:
    assert resolve("hashnet", epochs=143).modified == ("epochs",)


@pytest.mark.parametrize(
    ("train_size", "own", "epochs"),
    [
        (72, {}, 10_000),
        (73, {}, 5_000),
        (7200, {"batch_size": 144}, 200),
        (144, {"validation": {"fraction": 0.5}}, 10_000),
    ],
)
def test_iterations_become_the_passes_that_take_at_least_as_many_steps(
    train_size: int, own: dict[str, Any], epochs: int
) -> None:
    assert resolve("hashnet", train_size=train_size, **own).epochs == epochs


def test_validation_is_kept_and_modifies_no_recipe() -> None:
    found = resolve(validation={"fraction": 0.1, "seed": 3})
    assert found.validation == Validation(0.1, 3)
    assert found.modified == ()


def test_options_of_speed_are_off_unless_asked_for_and_are_no_departure_from_a_recipe() -> None:
    plain = resolve()
    assert (plain.channels_last, plain.compile, plain.fused, plain.accumulate) == (*[False] * 3, 1)
    found = resolve(channels_last=True, compile=True, fused=True, precision="bf16", accumulate=1)
    assert (found.channels_last, found.compile, found.fused) == (True, True, True)
    assert found.modified == ()


def test_gradients_of_parts_are_a_departure_from_a_recipe() -> None:
    found = resolve("vts", accumulate=2)
    assert (found.accumulate, found.modified) == (2, ("accumulate",))
