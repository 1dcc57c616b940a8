"""A loss set up on a few labels, and one step of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from hashbench.conformance.findings import expect
from hashbench.conformance.tiny import WIDTH, TinyBackbone, multi_labels, single_labels
from hashbench.conformance.training import BITS, CPU, Trial
from hashbench.core.info import LabelKind
from hashbench.core.params import BaseParams
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms
from hashbench.training.determinism import generator, seed_everything

IMAGES, BATCH = 48, 16


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one step.

    Attributes:
        terms: The loss's terms, detached.
        total: Their weighted sum, detached.
        gradient: The gradient at the outputs, (n, bits); None if none reached them.
        batch: The input of the loss.
    """

    terms: LossTerms
    total: Tensor
    gradient: Tensor | None
    batch: HashBatch


@dataclass(frozen=True, slots=True)
class FixedOutputs:
    """An `OutputAccess` that returns fixed outputs and features."""

    network_outputs: Tensor
    pooled: Tensor

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        """Outputs of the head, float32 (N, bits); of some images only if int64 (n,) is given."""
        return self.network_outputs if indices is None else self.network_outputs[indices]

    def features(self) -> Tensor:
        """Pooled features, float32 (N, D)."""
        return self.pooled


@dataclass(frozen=True)
class Prepared:
    """A loss that is set up and in its first epoch.

    Attributes:
        labels: float32 (N, classes); the loss got a copy.
        positions: The training positions of its first epoch, int64.
    """

    loss: HashLoss
    ctx: LossContext
    labels: Tensor
    positions: Tensor

    @property
    def given(self) -> tuple[Tensor | None, ...]:
        """The tensors that the harness gave the loss."""
        return self.ctx.labels, self.ctx.features

    def step(self, outputs: Tensor | None = None, *, count: int = BATCH) -> Step:
        """Compute the loss of the first positions and its gradient.

        Args:
            outputs: float32 (n, bits); drawn if None.
            count: Number of outputs to draw.
        """
        draw = generator(1)
        if outputs is None:
            outputs = torch.randn((min(count, len(self.positions)), BITS), generator=draw)
        indices = self.positions[: len(outputs)]
        device = self.ctx.device
        given = outputs.clone().to(device).requires_grad_()
        second = (outputs + 0.1 * torch.randn(outputs.shape, generator=draw)).to(device)
        batch = HashBatch(
            outputs=given,
            features=_features(len(outputs)).to(device),
            labels=self.labels[indices],
            indices=indices,
            progress=0.0,
            second=second.requires_grad_() if self.loss.needs.views > 1 else None,
        )
        terms = self.loss(batch)
        total = terms.total
        expect(total.requires_grad, "the total has no gradient at all")
        total.backward()
        plain = {name: term.detach() for name, term in terms.terms.items()}
        return Step(LossTerms(plain, terms.weights), total.detach(), given.grad, batch)

    def end_epoch(self) -> None:
        """End the step and the epoch, with the outputs of an untrained network."""
        self.loss.after_step()
        self.loss.end_epoch(0, _untrained(len(self.labels), self.ctx.device))


@dataclass(frozen=True)
class LossBench:
    """A loss's class with its parameters, to be set up on labels.

    Attributes:
        device: Where the loss computes; the same numbers are drawn for every device.
    """

    cls: type[HashLoss]
    params: BaseParams
    device: torch.device = CPU

    @cached_property
    def labels(self) -> Tensor:
        """Labels of a kind that the loss accepts, float32 (48, 4)."""
        accepts_single = LabelKind.SINGLE in self.cls.info.labels
        return single_labels(IMAGES) if accepts_single else multi_labels(IMAGES)

    @cached_property
    def trial(self) -> Trial:
        """A training of the loss with a tiny backbone."""
        return Trial(TinyBackbone, self.cls, self.labels, BaseParams(), self.params)

    def set_up(
        self, labels: Tensor | None = None, *, seed: int = 0, begin: bool = True
    ) -> Prepared:
        """Set the loss up as the harness does, and begin its first epoch.

        Args:
            labels: float32 (N, classes); those of the bench if None.
            seed: Seed of all random numbers.
            begin: Whether the first epoch begins; False to load a state instead.
        """
        labels = (self.labels if labels is None else labels).to(self.device)
        seed_everything(seed)
        loss = self.cls(self.params)
        ctx = LossContext(
            labels=labels.clone(),
            bits=BITS,
            multilabel=bool((labels.sum(1) > 1).any()),
            epochs=4,
            batch_size=BATCH,
            generator=generator(seed),
            device=self.device,
            features=_features(len(labels)).to(self.device) if self.cls.needs.prepass else None,
        )
        loss.setup(ctx)
        loss = loss.to(self.device).train()
        chosen = None
        if begin:
            loss.begin_training(_untrained(len(labels), self.device))
            chosen = loss.epoch_indices(0)
            loss.begin_epoch(0)
        positions = torch.arange(len(labels), device=self.device) if chosen is None else chosen
        return Prepared(loss, ctx, labels, positions)


def _features(count: int) -> Tensor:
    return torch.randn((count, WIDTH), generator=generator(3))


def _untrained(count: int, device: torch.device) -> FixedOutputs:
    outputs = torch.randn((count, BITS), generator=generator(2))
    return FixedOutputs(outputs.to(device), _features(count).to(device))
