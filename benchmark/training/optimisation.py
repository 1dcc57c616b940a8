"""Optimisers and learning-rate schedules from a cell's settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from hashbench.core.cell import Schedule, TrainSettings

_TOLERANCE = 1e-9


def build_optimiser(
    settings: TrainSettings, *, new: Iterable[nn.Parameter], backbone: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """Build the optimiser with its two learning-rate groups.

    The group ``new`` has the parameters of the head, of the loss, and the backbone's new ones.
    """
    groups: list[dict[str, Any]] = [
        {"params": list(new), "lr": settings.lr, "name": "new"},
        {"params": list(backbone), "lr": settings.backbone_lr, "name": "backbone"},
    ]
    groups = [group for group in groups if group["params"]]
    decay = settings.weight_decay
    fused = settings.fused or None  # None leaves the choice to torch, as in the recorded fits
    match settings.optimiser:
        case "adam":
            return torch.optim.Adam(groups, weight_decay=decay, fused=fused)
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay, fused=fused)
        case "rmsprop":
            return torch.optim.RMSprop(groups, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(
                groups,
                lr=settings.lr,
                weight_decay=decay,
                momentum=settings.momentum,
                nesterov=settings.nesterov,
                fused=fused,
            )
    raise ValueError(f"unknown optimiser {settings.optimiser!r}")


def rate_factor(schedule: Schedule, progress: float) -> float:
    """Return the learning rate as a fraction of its start value, at a progress in [0, 1]."""
    match schedule.kind:
        case "constant":
            return 1.0
        case "cosine":
            floor = schedule.factor
            return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
        case "step":
            passed = sum(progress + _TOLERANCE >= milestone for milestone in schedule.milestones)
            return float(schedule.factor**passed)
    raise ValueError(f"unknown schedule {schedule.kind!r}")


class RateSchedule:
    """Sets each group's rate from the progress of the run; it has no state to checkpoint."""

    def __init__(self, optimiser: torch.optim.Optimizer, schedule: Schedule) -> None:
        self._optimiser = optimiser
        self._start = [float(group["lr"]) for group in optimiser.param_groups]
        self._schedule = schedule

    def set(self, progress: float) -> None:
        """Set the rates for the step that starts at ``progress``."""
        factor = rate_factor(self._schedule, progress)
        # Loading a checkpoint gives the optimiser new groups, so they are looked up each time.
        for group, start in zip(self._optimiser.param_groups, self._start, strict=True):
            group["lr"] = start * factor
