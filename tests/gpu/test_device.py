"""What must hold on a CUDA device as it does on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hashbench.conformance.loss_bench import LossBench
from hashbench.core.cell import (
    Cell,
    Component,
    DataChoice,
    Determinism,
    Head,
    Precision,
    Schedule,
    Subset,
    TrainSettings,
)
from hashbench.core.environment import capture
from hashbench.core.job import Job
from hashbench.core.record import Status
from hashbench.core.registry import Kind, registry
from hashbench.datasets.loading import load_data
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.store.catalogue import read_cell
from hashbench.store.codes import load_codes
from hashbench.store.store import Store
from hashbench.training.augmentation import augment
from hashbench.training.images import DeviceImages
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

pytestmark = pytest.mark.gpu

BITS = 16


def test_batches_are_the_same_as_on_the_cpu(device: torch.device) -> None:
    loaded = load_data("fashion_mnist_mini", "fashion-mnist-mini@1")
    choice = DataChoice("fashion_mnist_mini", 1, "fashion-mnist-mini@1", "", image_size=32)
    indices = torch.arange(16)
    batches = [
        DeviceImages(
            loaded.data.images,
            positions=loaded.split.train,
            choice=choice,
            protocol=loaded.protocol,
            augmentation="crop_flip",
            device=where,
        ).batch(indices, torch.Generator().manual_seed(3))
        for where in (torch.device("cpu"), device)
    ]

    assert batches[1].device.type == device.type
    torch.testing.assert_close(batches[1].cpu(), batches[0], rtol=1e-4, atol=1e-4)


def test_augmentation_draws_the_same_on_every_device(device: torch.device) -> None:
    images = torch.rand(8, 3, 28, 28)

    on_cpu = augment(images, "crop_flip", torch.Generator().manual_seed(5))
    on_device = augment(images.to(device), "crop_flip", torch.Generator().manual_seed(5))

    assert torch.equal(on_device.cpu(), on_cpu)


@pytest.mark.parametrize("rule", ["noise", "cibhash", "dhd"])
def test_views_draw_the_same_on_every_device(rule: str, device: torch.device) -> None:
    images = torch.rand(8, 3, 28, 28)

    on_cpu = augment(images, rule, torch.Generator().manual_seed(5), view=1)
    on_device = augment(images.to(device), rule, torch.Generator().manual_seed(5), view=1)

    torch.testing.assert_close(on_device.cpu(), on_cpu, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", registry().names(Kind.LOSS))
def test_a_loss_and_its_gradient_agree_with_the_cpu(name: str, device: torch.device) -> None:
    on_cpu, on_device = (_loss_and_gradient(name, where) for where in (torch.device("cpu"), device))

    torch.testing.assert_close(on_device[0], on_cpu[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(on_device[1], on_cpu[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", list(Precision))
def test_a_cell_trains_and_states_the_device_it_used(
    precision: Precision, device: torch.device, tmp_path: Path
) -> None:
    cell = _cell(precision=precision)

    store = _run(cell, tmp_path, device)

    results = read_cell(store, cell.fit_id)
    assert results.fit is not None
    assert results.fit.status is Status.OK, results.fit.error
    assert results.fit.environment.device.kind == device.type
    assert results.metrics()["map@all/div=hits/ties=expected/empty=zero"][0].value > 0.2


def test_strict_runs_on_one_device_give_equal_codes(device: torch.device, tmp_path: Path) -> None:
    cell = _cell(precision=Precision.FP32)

    codes = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        store = _run(cell, folder, device)
        fit = read_cell(store, cell.fit_id).fit
        assert fit is not None
        codes.append(load_codes(store, fit))

    assert np.array_equal(codes[0].query.packed, codes[1].query.packed)  # type: ignore[union-attr]
    assert np.array_equal(codes[0].database.packed, codes[1].database.packed)  # type: ignore[union-attr]


def test_the_environment_names_the_device(device: torch.device) -> None:
    found = capture(device=device.type, threads=1).device

    assert found.kind == device.type
    assert found.name
    assert found.memory_bytes > 2**30


def _loss_and_gradient(name: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    cls = registry().load(Kind.LOSS, name)
    step = LossBench(cls, cls.Params(), device).set_up().step()
    assert step.gradient is not None
    return step.total.cpu(), step.gradient.cpu()


def _cell(*, precision: Precision) -> Cell:
    protocol = load_protocol("digits@1")
    data = DataChoice(
        "digits", 1, protocol.name, protocol.sha256, image_size=16, subset=Subset(query=100)
    )
    settings = TrainSettings(
        recipe="ours",
        modified=(),
        optimiser="adam",
        lr=1e-3,
        backbone_lr=1e-3,
        weight_decay=1e-5,
        momentum=0.0,
        nesterov=False,
        schedule=Schedule("cosine", 0.01),
        epochs=4,
        batch_size=50,
        augmentation="none",
    )
    backbone = registry().load(Kind.BACKBONE, "resnet_mini")
    loss = registry().load(Kind.LOSS, "hsc")
    return Cell(
        data,
        BITS,
        0,
        precision,
        Determinism.STRICT,
        backbone=Component("resnet_mini", 1, backbone.Params(width=8).model_dump()),
        head=Head(),
        loss=Component("hsc", 1, loss.Params().model_dump()),
        train=settings,
    )


def _run(cell: Cell, folder: Path, device: torch.device) -> Store:
    store = Store.create(folder)
    job = Job(
        cell=cell,
        store=folder,
        fit=True,
        metrics=("map@all/div=hits/ties=expected/empty=zero",),
        device=device.type,
        threads=1,
    )
    CellRun(job, registry(), Events(None)).run()
    return store
