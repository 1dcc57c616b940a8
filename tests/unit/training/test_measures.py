"""The recorded speed: parts of a step, operations of the network, rates."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.methods.interface import FitReport
from hashbench.training import utilisation
from hashbench.training.phases import StepClock
from hashbench.training.utilisation import matrix_rate, measure_speed, training_flops

CPU = torch.device("cpu")


class Linear(nn.Module):
    """One layer, 6 to 4, with a BatchNorm behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm(self.layer(inputs)), inputs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what moves the clock on."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_every_second_of_a_step_belongs_to_the_part_that_ends_next(
    clock: Callable[[float], None],
) -> None:
    steps = StepClock(CPU)
    for _ in range(3):
        steps.start()
        for part, seconds in (("data", 1.0), ("forward", 2.0), ("data", 0.5), ("step", 4.0)):
            clock(seconds)
            steps.lap(part)
        clock(50.0)  # between steps

    assert steps.read() == {"data": 4.5, "forward": 6.0, "step": 12.0}


def test_a_run_goes_on_from_the_seconds_before_its_interruption(
    clock: Callable[[float], None],
) -> None:
    steps = StepClock(CPU)
    steps.restore({"data": 2.0})
    steps.start()
    clock(1.0)
    steps.lap("data")
    assert steps.read() == {"data": 3.0}


def test_operations_of_a_layer_are_two_for_each_weight_forward_and_backward() -> None:
    network = Linear()
    # Forward 2 x 24; backward as much for the weights. The input asks for no gradient.
    assert training_flops(network, torch.zeros(1, 6)) == 4 * 24


def test_what_does_not_learn_counts_forward_only() -> None:
    network = Linear().requires_grad_(False)
    assert training_flops(network, torch.zeros(1, 6)) == 2 * 24


def test_counting_leaves_no_trace() -> None:
    network = Linear().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    training_flops(network, torch.ones(1, 6))

    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(network.state_dict()[name], old) for name, old in before.items())


def test_utilisation_is_operations_a_second_over_the_matrix_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(utilisation, "matrix_rate", lambda *_, **__: 5000.0)
    report = FitReport(phases={"train": 4.0}, images_seen=200, step_seconds={"data": 1.0})

    found = measure_speed(report, 30.0, precision=Precision.FP32, device=CPU)

    assert found is not None
    assert (found.images_per_second, found.utilisation) == (50.0, 50 * 30 / 5000)
    assert found.step_seconds == {"data": 1.0}


def test_what_is_not_trained_by_steps_has_no_speed() -> None:
    report = FitReport(phases={"fit": 4.0}, images_seen=200)
    assert measure_speed(report, 30.0, precision=Precision.FP32, device=CPU) is None


def test_a_matrix_rate_is_of_the_shortest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utilisation, "_SIDE", {"cpu": 8})
    times = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0, 30.0, 39.0, 40.0, 45.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    matrix_rate.cache_clear()

    assert matrix_rate(CPU, Precision.BF16, threads=1) == 2 * 8**3 / 2.0
    matrix_rate.cache_clear()
