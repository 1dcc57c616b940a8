"""Every recipe becomes the optimiser, the groups and the rates that its source states."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from hashbench.cli.loading import load
from hashbench.core.cell import Schedule, TrainSettings
from hashbench.training.optimisation import RateSchedule, build_optimiser, rate_factor

MATRIX = """
version: 1
name: recipes
datasets: [{{name: digits, subset: {{train: 500}}}}]
methods: {{pairs: [{{backbone: {backbone}, loss: csq}}]}}
bits: [16]
train: {{recipe: {recipe}}}
"""

# Rates (new layers, backbone) from scratch at the first step, halfway and at the last step of the
# published number of epochs, 8 steps an epoch (500 images by 64), worked out by hand.
START, HALF, LAST = 0.0, 0.5, 1 - 1e-4
CASES = {
    "ours": (torch.optim.Adam, 1e-5, 64, 100, [(1e-3, 1e-3), (5.05e-4, 5.05e-4), (1e-5, 1e-5)]),
    "deephash": (torch.optim.RMSprop, 1e-5, 64, 150, [(1e-5, 1e-5)] * 3),
    "deephash-greedy": (
        torch.optim.SGD,
        5e-4,
        64,
        200,
        # every 30 of 200 epochs: three drops by epoch 100, six by the last
        [(1e-3, 1e-3), (1e-6, 1e-6), (1e-9, 1e-9)],
    ),
    "vts": (torch.optim.Adam, 0.0, 32, 150, [(1e-5, 1e-5)] * 3),
    "ortho": (torch.optim.Adam, 5e-4, 256, 100, [(1e-4, 1e-5), (1e-4, 1e-5), (1e-5, 1e-6)]),
    # 10,000 steps of 72 images, 7 an epoch: 1,429 epochs; halved at 20, 40, 60 and 80 %.
    "hashnet": (
        torch.optim.SGD,
        5e-4,
        72,
        1429,
        [(3e-3, 3e-4), (7.5e-4, 7.5e-5), (1.875e-4, 1.875e-5)],
    ),
    # times 0.7 every 10 of 90 epochs: four drops by epoch 45, eight by the last
    "csq": (
        torch.optim.Adam,
        0.0,
        64,
        90,
        [(1e-3, 5e-5), (2.401e-4, 1.2005e-5), (5.764801e-5, 2.8824005e-6)],
    ),
}


def settings_of(recipe: str, folder: Path, *, backbone: str = "resnet_mini") -> TrainSettings:
    file = folder / "matrix.yaml"
    file.write_text(MATRIX.format(recipe=recipe, backbone=backbone))
    (cell,) = load(file).cells
    assert cell.train is not None
    return cell.train


@pytest.mark.parametrize("recipe", CASES)
def test_recipe_sets_optimiser_decay_batch_epochs_and_rates(recipe: str, tmp_path: Path) -> None:
    optimiser_class, decay, batch, epochs, rates = CASES[recipe]
    settings = settings_of(recipe, tmp_path)

    optimiser = build_optimiser(
        settings, new=nn.Linear(2, 2).parameters(), backbone=nn.Linear(3, 3).parameters()
    )
    schedule = RateSchedule(optimiser, settings.schedule)

    assert type(optimiser) is optimiser_class
    assert (settings.batch_size, settings.epochs) == (batch, epochs)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [decay, decay]
    for progress, expected in zip((START, HALF, LAST), rates, strict=True):
        schedule.set(progress)
        found = tuple(group["lr"] for group in optimiser.param_groups)
        assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("recipe", "nesterov"), [("deephash-greedy", False), ("hashnet", True)])
def test_sgd_recipes_have_momentum(recipe: str, nesterov: bool, tmp_path: Path) -> None:
    optimiser = build_optimiser(
        settings_of(recipe, tmp_path), new=nn.Linear(2, 2).parameters(), backbone=[]
    )

    (group,) = optimiser.param_groups
    assert (group["momentum"], group["nesterov"]) == (0.9, nesterov)


def test_csq_on_alexnet_has_the_rates_published_for_it(tmp_path: Path) -> None:
    settings = settings_of("csq", tmp_path, backbone="alexnet")

    assert (settings.lr, settings.backbone_lr) == (1e-4, 1e-6)


def test_step_schedule_drops_at_its_milestones_and_not_before() -> None:
    schedule = Schedule("step", 0.1, (0.25, 0.5))

    factors = [rate_factor(schedule, step / 8) for step in range(8)]

    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])


@pytest.mark.parametrize("step", range(11))
def test_cosine_schedule_follows_its_formula(step: int) -> None:
    expected = 0.01 + 0.99 * (1 + math.cos(math.pi * step / 10)) / 2

    assert rate_factor(Schedule("cosine", 0.01), step / 10) == pytest.approx(expected)
