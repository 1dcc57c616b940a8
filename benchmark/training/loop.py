"""The training loop of deep methods over epochs and steps."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from hashbench.core.cell import TrainSettings
from hashbench.core.errors import ExitCode
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.interface import (
    DivergedError,
    EpochEvent,
    HashBatch,
    HashLoss,
    LossTerms,
    TrainContext,
    TrainView,
)
from hashbench.training.checkpoint import Checkpoints, generator_states, restore_generators
from hashbench.training.determinism import generator, seed_everything
from hashbench.training.images import DeviceImages
from hashbench.training.network import (
    FeatureNetwork,
    HashNetwork,
    TrainingOutputs,
    encode_outputs,
)
from hashbench.training.optimisation import RateSchedule
from hashbench.training.phases import PhaseClock, StepClock


@dataclass(kw_only=True)
class Loop:
    """Trains a network with a loss, epoch by epoch, resuming from the newest checkpoint.

    All random numbers of an epoch follow from the cell's seed and the epoch's number, so an epoch
    is the same whether the run was interrupted before it or not. An epoch that was interrupted
    halfway is begun again, which sets whatever the loss derives from the epoch's number, and then
    continues from the state before the first step that is missing.

    Attributes:
        network: Backbone and head, or the head on cached features, on the device.
        loss: The loss after its setup, on the device.
        generator: The loss's own generator.
        clock: Receives the phases ``train``, ``loss state``, ``validate`` and ``checkpoint``.
        steps: The clock of the parts of all steps: ``data``, ``forward``, ``backward``, ``step``
            and ``loss state``.
        drop_last: Whether an incomplete last batch is left out (it would distort BatchNorm).
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
        self.steps = StepClock(self.data.labels.device)
        self._began = 0.0

    def run(self) -> int | None:
        """Train all epochs that are left.

        Returns:
            The epoch resumed from, or None.

        Raises:
            DivergedError: If the loss is no longer finite.
            StoreError: If a checkpoint cannot be written.
            SystemExit: If the worker shall exit; the finished steps are in a checkpoint.
        """
        start = self._resume()
        part = self._checkpoints.load_part(start)
        if start == 0:
            with self.clock("loss state"):
                self.loss.begin_training(self._outputs)
        for epoch in range(start, self.settings.epochs):
            began, seen = time.perf_counter(), self.images_seen
            seed_everything(derive_seed(self.ctx.cell.seed, "epoch", epoch))
            with self.clock("train"):
                means = self._epoch(epoch, part if epoch == start else None)
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
        return start if start or part else None

    def _epoch(self, epoch: int, part: dict[str, Any] | None) -> dict[str, float]:
        self._began = time.perf_counter()
        self.network.train()
        self.loss.train()
        positions = self._batches(epoch)
        # Moved all at once, because a copy in every step would stop the device.
        there = torch.cat(positions).to(self.data.labels.device)
        batches = [self._parts(b) for b in torch.split(there, [len(b) for b in positions])]
        self.loss.begin_epoch(epoch)
        views = generator(derive_seed(self.ctx.cell.seed, Purpose.AUGMENTATION, epoch))
        sums: dict[str, Tensor] = {}
        done = self._continue_epoch(part, views, sums) if part else 0
        if isinstance(self.data.images, DeviceImages):
            left = [self._parts(batch) for batch in positions[done:]]
            self.data.images.prefetch(
                list(chain.from_iterable(batches[done:])), list(chain.from_iterable(left))
            )
        for step in range(done, len(batches)):
            if self.ctx.stopping():
                self._stop(epoch, step, views, sums)
            progress = (epoch + step / len(batches)) / self.settings.epochs
            for name, value in self._step(batches[step], views, progress=progress).items():
                sums[name] = sums[name] + value if name in sums else value
        # The device is read once an epoch, because a step that reads it would wait for it.
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
            raise ValueError(f"epoch {epoch + 1}: the loss's epoch_indices returned no image")
        order = generator(derive_seed(self.ctx.cell.seed, Purpose.ORDER, epoch))
        shuffled = indices.cpu()[torch.randperm(len(indices), generator=order)]
        size = self.settings.batch_size
        batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
        incomplete = len(batches) > 1 and len(batches[-1]) < size
        # A single image has no pair, and no batch statistics.
        if incomplete and (self.drop_last or len(batches[-1]) == 1):
            return batches[:-1]
        return batches

    def _step(
        self, parts: list[Tensor], views: torch.Generator, *, progress: float
    ) -> dict[str, Tensor]:
        self._rates.set(progress)
        self.steps.start()
        self.optimiser.zero_grad(set_to_none=True)
        means: dict[str, Tensor] = {}
        count = sum(map(len, parts))
        for part in parts:
            share = len(part) / count
            terms = self._forward(part, views, progress=progress)
            total = terms.total
            objective = total if share == 1 else share * total
            objective.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            self.steps.lap("backward")
            for name, term in {**terms.terms, "total": total}.items():
                value = term.detach() if share == 1 else share * term.detach()
                means[name] = means[name] + value if name in means else value
        self.optimiser.step()
        self.steps.lap("step")
        self.loss.after_step()
        self.steps.lap("loss state")
        self.images_seen += count * self.loss.needs.views
        return means

    def _forward(self, indices: Tensor, views: torch.Generator, *, progress: float) -> LossTerms:
        images = self.data.images.batch(indices, views)
        self.steps.lap("data")
        outputs, features = self.network(images)
        second = None
        if self.loss.needs.views > 1:
            self.steps.lap("forward")
            images = self.data.images.batch(indices, views, view=1)
            self.steps.lap("data")
            second, _ = self.network(images)
        labels = self.data.labels[indices]
        terms: LossTerms = self.loss(
            HashBatch(outputs, features, labels, indices, progress, second)
        )
        self.steps.lap("forward")
        return terms

    def _parts(self, batch: Tensor) -> list[Tensor]:
        """Split a batch into the parts that pass the network at once, of two images or more."""
        at_once = self.settings.batch_size // self.settings.accumulate
        count = max(1, min(-(-len(batch) // at_once), len(batch) // 2))
        return list(torch.tensor_split(batch, count))

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
            "step_seconds": self.steps.read(),
        }

    def _stop(self, epoch: int, step: int, views: torch.Generator, sums: dict[str, Tensor]) -> None:
        """Write a checkpoint within an epoch, and end the process."""
        within = {
            "step": step,
            "sums": sums,
            "views": views.get_state(),
            "random": generator_states(),
            "train_seconds": time.perf_counter() - self._began,
        }
        with self.clock("checkpoint"):
            self._checkpoints.save_part(epoch, {**self._state(epoch), **within})
        sys.exit(ExitCode.INTERRUPTED)

    def _continue_epoch(
        self, part: dict[str, Any], views: torch.Generator, sums: dict[str, Tensor]
    ) -> int:
        """Restore the state within an epoch; return the number of its finished steps."""
        self._load(part)
        views.set_state(part["views"])
        device = self.data.labels.device
        sums.update({name: value.to(device) for name, value in part["sums"].items()})
        restore_generators(part["random"])
        self.clock.add({"train": part["train_seconds"]})
        self._began -= part["train_seconds"]  # for the next checkpoint within this epoch
        return int(part["step"])

    def _resume(self) -> int:
        state = self._checkpoints.load()
        if state is None:
            return 0
        self._load(state)
        self.clock.add(state["seconds"])
        return int(state["epoch"])

    def _load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.history = list(state["history"])
        self.images_seen = state["images_seen"]
        self.steps.restore(state["step_seconds"])
