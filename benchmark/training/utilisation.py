"""Speed of a training, and the share of the device's arithmetic rate that it reached."""

from __future__ import annotations

import time
from functools import cache
from typing import Final

import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.core.record import TrainingSpeed
from hashbench.methods.building_blocks.features import evaluating
from hashbench.methods.interface import FitReport

_SIDE: Final = {"cuda": 8192, "cpu": 1024}
_ROUNDS: Final = 5


def measure_speed(
    report: FitReport, flops_per_image: float, *, precision: Precision, device: torch.device
) -> TrainingSpeed | None:
    """Compute the speed of a fit; None if it was not trained by steps."""
    seconds = report.phases.get("train", 0.0)
    if not report.step_seconds or not seconds:
        return None
    rate = matrix_rate(device, precision, threads=torch.get_num_threads())
    images_per_second = report.images_seen / seconds
    return TrainingSpeed(
        images_per_second=images_per_second,
        step_seconds=dict(report.step_seconds),
        flops_per_image=flops_per_image,
        matrix_flops=rate,
        utilisation=images_per_second * flops_per_image / rate,
    )


def training_flops(network: nn.Module, image: Tensor) -> float:
    """Count the floating-point operations of one image, forward and backward.

    Runs in eval mode, so that no statistics change; the network has no gradient afterwards.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with evaluating(network), FlopCounterMode(display=False) as counter:
        outputs, _ = network(image)
        if outputs.requires_grad:
            outputs.sum().backward()
    network.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


@cache
def matrix_rate(device: torch.device, precision: Precision, *, threads: int) -> float:
    """Measure the operations per second of a large matrix product, the best of some.

    TF32 is used if it is allowed now. ``threads`` of this process is part of the cache's key.
    """
    del threads
    kind = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    side = _SIDE.get(device.type, _SIDE["cpu"])
    left, right = (torch.ones(side, side, dtype=kind, device=device) for _ in range(2))
    return 2 * side**3 / min(_seconds(left, right) for _ in range(_ROUNDS))


def _seconds(left: Tensor, right: Tensor) -> float:
    cuda = left.device.type == "cuda"
    if cuda:
        torch.cuda.synchronize(left.device)
    began = time.perf_counter()
    left @ right
    if cuda:
        torch.cuda.synchronize(left.device)
    return time.perf_counter() - began
