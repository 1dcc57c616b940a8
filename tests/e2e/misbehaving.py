"""Components that fail in every way a cell can, until a file beside this one heals them."""

from __future__ import annotations

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


def healed() -> bool:
    return (HERE / "healed").exists()


class Fine(Method):
    """Signs of the first pixels about their mean."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Fine")

    def __init__(self, params: BaseParams, *, bits: int, features: object) -> None:
        self.bits = bits

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        return FitReport(phases={"fit": 0.1})

    def encode(self, images: ImageStream, role: Role) -> Codes:
        pixels = images.pixels(torch.arange(len(images))).flatten(1).numpy()
        middle = pixels[:, pixels.shape[1] // 2 :][:, : self.bits]
        return Codes.from_outputs(middle - np.float32(0.5))


class Raises(Fine):
    """Raises an exception."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        if not healed():
            raise ValueError("this is broken")
        return super().fit(data, ctx)


class Dies(Fine):
    """Is killed by the system."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        if not healed():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(data, ctx)


class Tiny(Backbone):
    """One convolution with BatchNorm; quick to import."""

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


class Pausing(HashLoss):
    """Waits for ever in its third epoch, and says so."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Pausing")

    def begin_epoch(self, epoch: int) -> None:
        if epoch + 1 == 3 and not healed():
            (HERE / "paused").write_text(str(os.getpid()))
            time.sleep(600)

    def forward(self, batch: HashBatch) -> LossTerms:
        spread = batch.outputs.square().mean() - batch.outputs.var(dim=0).mean()
        return LossTerms({"spread": spread})
