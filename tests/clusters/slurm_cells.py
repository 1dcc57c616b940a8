"""Cells that end in every way a Slurm job can; what the test must know of them goes into files.

Outside Slurm none of them waits for anything.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from hashbench.core.codes import Codes, Role
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.interface import (
    Backbone,
    BackboneOutput,
    FitReport,
    HashBatch,
    HashLoss,
    ImageStream,
    LossTerms,
    Method,
    TrainContext,
    TrainView,
)

HERE = Path(__file__).parent
LONG = 600
FIRST_STAY = "SLURM_JOB_ID" in os.environ and "SLURM_RESTART_COUNT" not in os.environ


def tell(name: str) -> int:
    """Say who is at work on a cell, and where; return how often that was said before."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{word}_ID") for word in ("JOB", "TASK"))
    job = f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID")
    about = {
        "job": job,
        "node": os.environ.get("SLURMD_NODENAME"),
        "parent": os.getppid(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    folder = HERE / "told"
    folder.mkdir(exist_ok=True)
    before = len(list(folder.glob(f"{name}-*.json")))
    if job:
        temporary = folder / f".{name}"
        temporary.write_text(json.dumps(about))
        temporary.replace(folder / f"{name}-{before}.json")
    return before


class Quick(Method):
    """Signs of the first pixels about their middle."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Quick")

    def __init__(self, params: BaseParams, *, bits: int, features: object) -> None:
        self.bits = bits

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        tell(f"quick{self.bits}")
        return FitReport(phases={"fit": 0.1})

    def encode(self, images: ImageStream, role: Role) -> Codes:
        pixels = images.pixels(torch.arange(len(images))).flatten(1).numpy()
        middle = pixels[:, pixels.shape[1] // 2 :][:, : self.bits]
        return Codes.from_outputs(middle - np.float32(0.5))


class Raises(Quick):
    """Raises an exception."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        raise ValueError("this is broken")


class Dies(Quick):
    """Is killed by the system."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(data, ctx)


class Sleeps(Quick):
    """Takes too long, everywhere."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        time.sleep(LONG)
        return super().fit(data, ctx)


class Struck(Quick):
    """Waits, at first, for somebody who ends its whole job on the node."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        if tell("struck") == 0 and FIRST_STAY:
            time.sleep(LONG)
        return super().fit(data, ctx)


class Cancelled(Quick):
    """Waits for somebody who cancels its job."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        if tell("cancelled") == 0 and FIRST_STAY:
            time.sleep(LONG)
        return super().fit(data, ctx)


class WornOut(Quick):
    """Waits for the end of its time."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        if tell("worn_out") == 0 and FIRST_STAY:
            time.sleep(LONG)
        return super().fit(data, ctx)


class Held(Quick):
    """Waits until it may go on."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        tell(f"held{self.bits}")
        while not (HERE / "go").exists():
            time.sleep(0.1)
        return super().fit(data, ctx)


class Tiny(Backbone):
    """One convolution with BatchNorm and dropout; quick to import."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Tiny")
    feature_dim = 8

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)]
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> BackboneOutput:
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        raise NotImplementedError


class Preempted(HashLoss):
    """Waits in the third epoch of its first stay."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Preempted")
    name = "preempted"

    def begin_epoch(self, epoch: int) -> None:
        if epoch + 1 == 3:
            tell(self.name)
            until = time.monotonic() + (LONG if FIRST_STAY else 0)
            while time.monotonic() < until:
                time.sleep(0.1)

    def forward(self, batch: HashBatch) -> LossTerms:
        spread = batch.outputs.square().mean() - batch.outputs.var(dim=0).mean()
        return LossTerms({"spread": spread})


class OutOfTime(Preempted):
    """The same, under another name."""

    info: ClassVar[ComponentInfo] = ComponentInfo("OutOfTime")
    name = "out_of_time"
