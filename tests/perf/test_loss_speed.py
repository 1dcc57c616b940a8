"""What a loss adds to a training step; with benchmarks disabled, one step at tiny size.

``pytest tests/perf/test_loss_speed.py --benchmark-enable`` measures a loss's forward and backward
pass at 128 images a batch, 64 bits and 10,500 training images of 21 classes, and beside them a step
of ResNet-18 on as many images of 32 pixels: what training costs without any loss. The extra column
``of a ResNet-18 step`` is the ratio of the medians within the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache

import pytest
import torch

from hashbench.core.registry import Kind, registry
from hashbench.methods.backbones.resnet import ResNet18
from hashbench.methods.interface import HashBatch, HashLoss, LossContext

LOSSES = sorted(registry().names(Kind.LOSS))
BATCH, BITS, CLASSES, WIDTH, SIDE = 128, 64, 21, 64, 32
IMAGES, TINY = 10_500, 256
ROUNDS = 5


class FirstOutputs:
    """The outputs of a network that has not learned."""

    def __init__(self, images: int) -> None:
        self._outputs = torch.randn(images, BITS)

    def outputs(self, indices: torch.Tensor | None = None) -> torch.Tensor:
        return self._outputs if indices is None else self._outputs[indices]

    def features(self) -> torch.Tensor:
        return torch.randn(len(self._outputs), WIDTH)


def prepared(name: str, *, images: int) -> tuple[HashLoss, HashBatch]:
    """A loss in its first epoch, and a batch for it."""
    torch.manual_seed(0)
    loss_class = registry().load(Kind.LOSS, name)
    loss = loss_class(loss_class.Params())
    labels = torch.nn.functional.one_hot(torch.arange(images) % CLASSES, CLASSES).float()
    ctx = LossContext(
        labels=labels,
        bits=BITS,
        multilabel=False,
        epochs=10,
        batch_size=BATCH,
        generator=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
        features=labels[:, :1] + torch.randn(images, WIDTH) if loss.needs.prepass else None,
    )
    loss.setup(ctx)
    loss.begin_training(FirstOutputs(images))
    chosen = loss.epoch_indices(0)
    indices = (torch.randperm(images) if chosen is None else chosen)[:BATCH]
    loss.begin_epoch(0)
    outputs, second = (torch.randn(BATCH, BITS, requires_grad=True) for _ in range(2))
    return loss, HashBatch(
        outputs=outputs,
        features=torch.randn(BATCH, WIDTH),
        labels=labels[indices],
        indices=indices,
        progress=0.5,
        second=second if loss.needs.views > 1 else None,
    )


def step_of(loss: HashLoss, batch: HashBatch) -> Callable[[], float]:
    def step() -> float:
        total = loss(batch).total
        total.backward()
        return total.item()

    return step


@cache
def network_seconds() -> float:
    """Median seconds of a forward and a backward pass of ResNet-18."""
    network = ResNet18(ResNet18.Params(), image_size=SIDE)
    images, seconds = torch.randn(BATCH, 3, SIDE, SIDE), []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        network(images).pooled.sum().backward()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_of_a_loss(benchmark, name):
    loss, batch = prepared(name, images=TINY if benchmark.disabled else IMAGES)

    total = benchmark(step_of(loss, batch))

    assert torch.isfinite(torch.tensor(total))
    assert batch.outputs.grad is not None
    if benchmark.stats:
        share = benchmark.stats.stats.median / network_seconds()
        benchmark.extra_info["of a ResNet-18 step"] = round(share, 4)
