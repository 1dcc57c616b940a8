"""Every recipe becomes the optimiser, the groups and the rates that its source states."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from hashbench.cli.loading import load
from hashbench.core.cell import Cell, Head, Precision, Schedule, TrainSettings
from hashbench.core.registry import Kind, registry
from hashbench.methods.heads import build_head
from hashbench.methods.losses.dpn import DPN
from hashbench.training import deep
from hashbench.training.network import HashNetwork
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


def cell_of(recipe: str, folder: Path, *, backbone: str) -> Cell:
    file = folder / "matrix.yaml"
    file.write_text(MATRIX.format(recipe=recipe, backbone=backbone))
    (cell,) = load(file).cells
    return cell


def settings_of(recipe: str, folder: Path, *, backbone: str = "resnet_mini") -> TrainSettings:
    train = cell_of(recipe, folder, backbone=backbone).train
    assert train is not None
    return train


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


TINY = "name: ae_vit, image_size: 32, params: {variant: tiny}"
AE_VITS = {
    "pretrained": (f"{{{TINY}, weights: timm/vit_tiny_patch16_224}}", (1e-4, 1e-5)),
    "scratch": (f"{{{TINY}}}", (1e-3, 1e-3)),
    "pretrained, after block 0": (
        f"{{{TINY}, preset: after_block_0, weights: timm/vit_tiny_patch16_224}}",
        (1e-4, 1e-5),
    ),
    "mini": ("{name: ae_vit_mini, params: {depth: 1, width: 24, stem: conv}}", (1e-3, 1e-3)),
}


@pytest.mark.parametrize("case", AE_VITS)
def test_under_ours_the_aem_learns_at_the_rate_of_new_layers(case: str, tmp_path: Path) -> None:
    backbone, rates = AE_VITS[case]
    cell = cell_of("ours", tmp_path, backbone=backbone)
    assert cell.backbone is not None and cell.train is not None
    cls = registry().load(Kind.BACKBONE, cell.backbone.name)
    trunk = cls(cls.Params(**cell.backbone.params), image_size=32)
    head = build_head(Head(), trunk.feature_dim, bits=16)
    network = HashNetwork(trunk, head, precision=Precision.FP32)

    optimiser = deep._optimiser(cell.train, network, DPN(DPN.Params()))

    new, old = ({id(p) for p in group["params"]} for group in optimiser.param_groups)
    aem = {id(p) for name, p in trunk.named_parameters() if ".enhance." in name}
    stem = {id(p) for name, p in trunk.named_parameters() if "patch_embed.proj." in name}
    assert len(aem) == 8
    assert aem | {id(p) for p in head.parameters()} <= new
    assert old == {id(p) for p in trunk.parameters()} - new
    assert stem <= (new if case == "mini" else old)
    for progress, share in ((START, 1.0), (HALF, 0.505), (LAST, 0.01)):
        RateSchedule(optimiser, cell.train.schedule).set(progress)
        found = tuple(group["lr"] for group in optimiser.param_groups)
        assert found == pytest.approx([rate * share for rate in rates], rel=1e-3)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate


def test_a_frozen_backbone_has_no_rate_and_is_a_departure_from_every_recipe(
    tmp_path: Path,
) -> None:
    file = tmp_path / "matrix.yaml"
    text = MATRIX.format(recipe="ours, backbone: frozen", backbone="resnet_mini")
    file.write_text(text)

    (cell,) = load(file).cells

    assert cell.train is not None
    assert (cell.train.lr, cell.train.backbone_lr) == (1e-3, 0.0)
    assert cell.train.modified == ("backbone",)


def test_step_schedule_drops_at_its_milestones_and_not_before() -> None:
    schedule = Schedule("step", 0.1, (0.25, 0.5))

    factors = [rate_factor(schedule, step / 8) for step in range(8)]

    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])


@pytest.mark.parametrize("step", range(11))
def test_cosine_schedule_follows_its_formula(step: int) -> None:
    expected = 0.01 + 0.99 * (1 + math.cos(math.pi * step / 10)) / 2

    assert rate_factor(Schedule("cosine", 0.01), step / 10) == pytest.approx(expected)
