"""Cells that end in every way one on a Ray cluster can; what a test must know is in files."""

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


def tell(name: str) -> None:
    """Say who is at work on a cell, under whom, and what it sees."""
    about = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "word": os.environ.get("HASHBENCH_TEST_WORD"),
    }
    temporary = HERE / f".{name}-{os.getpid()}"
    temporary.write_text(json.dumps(about))
    temporary.replace(HERE / f"{name}.json")


class Quick(Method):
    """Signs of the first pixels about their middle."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Quick")

    def __init__(self, params: BaseParams, *, bits: int, features: object) -> None:
        self.bits = bits

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        tell("quick")
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
    """Takes too long."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        time.sleep(LONG)
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


class Waits(HashLoss):
    """Waits in its third epoch until it may go on."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Waits")

    def begin_epoch(self, epoch: int) -> None:
        if epoch + 1 == 3:
            tell("waits")
            while not (HERE / "go").exists():
                time.sleep(0.1)

    def forward(self, batch: HashBatch) -> LossTerms:
        spread = batch.outputs.square().mean() - batch.outputs.var(dim=0).mean()
        return LossTerms({"spread": spread})
