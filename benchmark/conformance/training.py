"""Train a backbone with a loss by the harness's own loop, whole and interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from hashbench.conformance.findings import expect
from hashbench.conformance.tiny import TinyImages
from hashbench.core.cell import Cell, Component, DataChoice, Head, Schedule, TrainSettings
from hashbench.core.codes import Codes, Role
from hashbench.core.params import BaseParams
from hashbench.methods.interface import Backbone, EpochEvent, HashLoss, TrainContext, TrainView
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.deep import DeepHashMethod

BITS = 16
CPU = torch.device("cpu")
_NOT_COMPARED = frozenset({"seconds", "step_seconds"})


class _InterruptedError(Exception):
    """Ends a training after an epoch, as Ctrl-C does."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The results of a training.

    Attributes:
        state: The last checkpoint: network, loss, optimiser, generator, history.
        codes: Codes of the training images.
        learned: The loss's learned codes of the training images, if it has any.
    """

    state: Mapping[str, Any]
    codes: Codes
    learned: Codes | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A backbone and a loss to train on tiny data.

    Attributes:
        labels: Labels of the training images, float32 (N, classes).
        optimiser: An optimiser's name in a recipe.
    """

    backbone: type[Backbone]
    loss: type[HashLoss]
    labels: Tensor
    backbone_params: BaseParams
    loss_params: BaseParams
    image_size: int = 8
    epochs: int = 4
    batch_size: int = 16
    optimiser: str = "adam"

    @property
    def settings(self) -> TrainSettings:
        """The training settings."""
        return TrainSettings(
            recipe="conformance",
            modified=(),
            optimiser=self.optimiser,
            lr=1e-2,
            backbone_lr=1e-3,
            weight_decay=0.0,
            momentum=0.0,
            nesterov=False,
            schedule=Schedule("cosine", 0.01),
            epochs=self.epochs,
            batch_size=self.batch_size,
            augmentation="noise",
            prepass="pixels",
        )

    @property
    def cell(self) -> Cell:
        """The cell of the training."""
        return Cell(
            DataChoice("conformance", 1, "conformance@1", "0" * 64, image_size=self.image_size),
            bits=BITS,
            seed=0,
            backbone=Component("backbone", 1, self.backbone_params.model_dump(mode="json")),
            head=Head(last_layer=self.loss.needs.last_layer or "linear"),
            loss=Component("loss", 1, self.loss_params.model_dump(mode="json")),
            train=self.settings,
        )

    def train(self, folder: Path, *, device: torch.device = CPU) -> Trained:
        """Train all epochs that are left, with checkpoints in a folder."""
        images = TinyImages(self.labels, size=self.image_size, device=device)
        method = self._fit(images, folder, device=device, until=None)
        state = Checkpoints(folder).load()
        expect(state is not None, "the last checkpoint cannot be read")
        return Trained(state or {}, method.encode(images, Role.DATABASE), method.database_codes())

    def interrupt(self, folder: Path, *, after: int) -> None:
        """Train some epochs and stop as Ctrl-C would."""
        images = TinyImages(self.labels, size=self.image_size, device=CPU)
        try:
            self._fit(images, folder, device=CPU, until=after)
        except _InterruptedError:
            return

    def _fit(
        self, images: TinyImages, folder: Path, *, device: torch.device, until: int | None
    ) -> DeepHashMethod:
        def stop(event: EpochEvent) -> None:
            if event.epoch == until:
                raise _InterruptedError

        cell = self.cell
        method = DeepHashMethod(self.backbone, self.loss, cell=cell)
        view = TrainView(images, self.labels.to(device), bool((self.labels.sum(1) > 1).any()))
        method.fit(view, TrainContext(cell, device, checkpoints=folder, on_epoch=stop))
        return method


def resumed_equals_unbroken(trial: Trial) -> str:
    """Train once whole and once with an interruption, and describe the comparison.

    Raises:
        NotConformingError: If the last states differ in any bit.
    """
    half = trial.epochs // 2
    with TemporaryDirectory() as name:
        whole, broken = Path(name, "whole"), Path(name, "broken")
        whole.mkdir()
        broken.mkdir()
        unbroken = trial.train(whole)
        trial.interrupt(broken, after=half)
        resumed = trial.train(broken)
    different = differences(unbroken.state, resumed.state)
    shown = ", ".join(different[:3]) + (", ..." if len(different) > 3 else "")  # noqa: PLR2004 - a line's worth
    expect(not different, f"after a resume these differ: {shown}")
    expect(_same(unbroken.codes, resumed.codes), "after a resume the codes differ")
    expect(_same(unbroken.learned, resumed.learned), "after a resume database_codes() differ")
    return f"{trial.epochs} epochs, interrupted after {half}: every bit of the last state equal"


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Find the places where two nested states of plain values and tensors differ in any bit."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [key for key in {**one, **other} if key not in _NOT_COMPARED]
        return [
            found
            for key in keys
            for found in differences(one.get(key), other.get(key), f"{place}.{key}".lstrip("."))
        ]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs: Sequence[tuple[Any, Any]] = list(zip(one, other, strict=True))
        return [f for i, pair in enumerate(pairs) for f in differences(*pair, f"{place}[{i}]")]
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return [] if torch.equal(one.cpu(), other.cpu()) else [place]
    return [] if one == other else [place]


def _same(one: Codes | None, other: Codes | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.packed.tobytes() == other.packed.tobytes()
