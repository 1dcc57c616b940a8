"""The loop over epochs and steps of a deep method."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hashbench.core.cell import TrainSettings
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.interface import (
    DivergedError,
    EpochEvent,
    HashBatch,
    HashLoss,
    TrainContext,
    TrainView,
)
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import generator, seed_everything
from hashbench.training.encoding import encode_outputs
from hashbench.training.frozen import FeatureNetwork
from hashbench.training.network import HashNetwork, TrainingOutputs
from hashbench.training.optimisation import RateSchedule
from hashbench.training.phases import PhaseClock


@dataclass(kw_only=True)
class Loop:
    """Trains a network with a loss, epoch by epoch, resuming from the newest checkpoint.

    All randomness of an epoch follows from the cell's seed and the epoch's number, so an epoch is
    the same whether the run was interrupted before it or not.

    Attributes:
        network: Backbone and head, or the head on cached features, on the device.
        loss: Set up, on the device.
        optimiser: Over both.
        data: The training set.
        settings: Epochs, batch size, schedule.
        ctx: Seed, callbacks, validation.
        generator: The loss's own generator.
        clock: Receives the phases ``train``, ``loss state``, ``validate`` and ``checkpoint``.
        drop_last: Whether an incomplete last batch is left out (it would mislead BatchNorm).
        history: One entry an epoch.
        images_seen: Training images so far, those before a resume included.
    """

    network: HashNetwork | FeatureNetwork
    loss: HashLoss
    optimiser: torch.optim.Optimizer
    data: TrainView
    settings: TrainSettings
    ctx: TrainContext
    generator: torch.Generator
    clock: PhaseClock
    drop_last: bool
    history: list[dict[str, Any]] = field(default_factory=list)
    images_seen: int = 0

    def __post_init__(self) -> None:
        self._rates = RateSchedule(self.optimiser, self.settings.schedule)
        self._checkpoints = Checkpoints(self.ctx.checkpoints)
        self._outputs = TrainingOutputs(self.network, self.data.images)

    def run(self) -> int | None:
        """Train all epochs that are left.

        Returns:
            The epoch resumed from, or None.

        Raises:
            DivergedError: If the loss is no longer finite.
            StoreError: If a checkpoint cannot be written.
        """
        start = self._resume()
        if start == 0:
            with self.clock("loss state"):
                self.loss.begin_training(self._outputs)
        for epoch in range(start, self.settings.epochs):
            began, seen = time.perf_counter(), self.images_seen
            seed_everything(derive_seed(self.ctx.cell.seed, "epoch", epoch))
            with self.clock("train"):
                means = self._epoch(epoch)
            with self.clock("loss state"):
                self.loss.end_epoch(epoch, self._outputs)
            entry = {"epoch": epoch + 1, **means, **self._validate(epoch + 1)}
            self.history.append(entry)
            with self.clock("checkpoint"):
                self._checkpoints.save(epoch + 1, self._state(epoch + 1))
            seconds = time.perf_counter() - began
            images = self.images_seen - seen
            event = EpochEvent(epoch + 1, self.settings.epochs, means, seconds, images)
            self.ctx.on_epoch(event)
        return start or None

    def _epoch(self, epoch: int) -> dict[str, float]:
        self.network.train()
        self.loss.train()
        batches = self._batches(epoch)
        self.loss.begin_epoch(epoch)
        views = generator(derive_seed(self.ctx.cell.seed, Purpose.AUGMENTATION, epoch))
        sums: dict[str, Tensor] = {}
        for step, indices in enumerate(batches):
            progress = (epoch + step / len(batches)) / self.settings.epochs
            for name, value in self._step(indices, views, progress=progress).items():
                sums[name] = sums[name] + value if name in sums else value
        # One read of the device an epoch; a step that reads it would wait for it.
        means = (torch.stack(list(sums.values())) / len(batches)).tolist()
        terms = dict(zip(sums, means, strict=True))
        broken = {name: value for name, value in terms.items() if not math.isfinite(value)}
        if broken:
            raise DivergedError(f"epoch {epoch + 1}: the loss is not finite: {broken}")
        return terms

    def _batches(self, epoch: int) -> list[Tensor]:
        indices = self.loss.epoch_indices(epoch)
        if indices is None:
            indices = torch.arange(len(self.data.images))
        if len(indices) == 0:
            raise ValueError(f"epoch {epoch + 1}: the loss's epoch_indices gave no image")
        order = generator(derive_seed(self.ctx.cell.seed, Purpose.ORDER, epoch))
        shuffled = indices.cpu()[torch.randperm(len(indices), generator=order)]
        # Moved as a whole: a copy in every step would stop the device there.
        shuffled = shuffled.to(self.data.labels.device)
        size = self.settings.batch_size
        batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
        incomplete = len(batches) > 1 and len(batches[-1]) < size
        # A single image has no pair, and no batch statistics.
        if incomplete and (self.drop_last or len(batches[-1]) == 1):
            return batches[:-1]
        return batches

    def _step(
        self, indices: Tensor, views: torch.Generator, *, progress: float
    ) -> dict[str, Tensor]:
        self._rates.set(progress)
        outputs, features = self.network(self.data.images.batch(indices, views))
        second = None
        if self.loss.needs.views > 1:
            second, _ = self.network(self.data.images.batch(indices, views, view=1))
        labels = self.data.labels[indices]
        terms = self.loss(HashBatch(outputs, features, labels, indices, progress, second))
        total = terms.total
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        self.loss.after_step()
        self.images_seen += len(indices) * self.loss.needs.views
        return {name: term.detach() for name, term in {**terms.terms, "total": total}.items()}

    def _validate(self, epoch: int) -> dict[str, float]:
        every, validate = self.ctx.validate_every, self.ctx.validate
        if not every or epoch % every or validate is None or self.ctx.validation is None:
            return {}
        with self.clock("validate"):
            queries = encode_outputs(self.network, self.ctx.validation)
            database = encode_outputs(self.network, self.data.images)
            return dict(validate(queries, database))

    def _state(self, epoch: int) -> dict[str, Any]:
        return {
            "epoch": epoch,
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "history": self.history,
            "images_seen": self.images_seen,
            "seconds": self.clock.seconds,
        }

    def _resume(self) -> int:
        state = self._checkpoints.load()
        if state is None:
            return 0
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.history = list(state["history"])
        self.images_seen = state["images_seen"]
        self.clock.add(state["seconds"])
        return int(state["epoch"])
