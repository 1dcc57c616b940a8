"""A loss that needs everything a loss can need and uses every hook; for tests only."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.interface import (
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
    Needs,
    OutputAccess,
)


class EveryHook(HashLoss):
    """Pulls outputs to learned centres and to a bank of earlier outputs.

    Attributes:
        calls: The hooks called so far in this process, in order.
        last: The loss that was set up last.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            learned: Whether it has database codes: the opposite of its last outputs' signs.
            poison: The epoch in which its value becomes NaN, if any.
        """

        learned: bool = True
        poison: int | None = None

    info: ClassVar[ComponentInfo] = ComponentInfo("Every hook")
    needs: ClassVar[Needs] = Needs(views=2, prepass=True, buffer=True)
    calls: ClassVar[list[str]] = []
    last: ClassVar[EveryHook]

    def setup(self, ctx: LossContext) -> None:
        self.calls.append("setup")
        EveryHook.last = self
        assert ctx.features is not None and len(ctx.features) == len(ctx.labels)
        self.ctx = ctx
        count, classes = ctx.labels.shape
        self.centres = nn.Parameter(torch.randn(classes, ctx.bits))
        self.register_buffer("bank", torch.zeros(count, ctx.bits))
        self.register_buffer("seen", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("feature", ctx.features.mean(dim=0))
        self.register_buffer("noise", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def begin_training(self, outputs: OutputAccess) -> None:
        self.calls.append("begin_training")
        chosen = torch.arange(0, len(self.bank), 3, device=self.bank.device)
        self.bank.copy_(outputs.outputs())
        torch.testing.assert_close(outputs.outputs(chosen), self.bank[chosen])

    def epoch_indices(self, epoch: int) -> Tensor:
        self.calls.append(f"epoch_indices {epoch}")
        count = len(self.ctx.labels)
        return torch.randperm(count, generator=self.ctx.generator)[: count // 2 + epoch]

    def begin_epoch(self, epoch: int) -> None:
        self.calls.append(f"begin_epoch {epoch}")
        self.noise.copy_(torch.rand(()))  # of the global generator, as third-party code does
        self.poisoned = epoch + 1 == self.params.poison

    def forward(self, batch: HashBatch) -> LossTerms:
        self.calls.append("forward")
        assert batch.second is not None
        assert not torch.equal(batch.second, batch.outputs)
        pull = (batch.outputs - batch.labels @ self.centres).square().mean()
        views = (batch.outputs - batch.second).square().mean()
        bank = (self.bank[self.seen].sum() - batch.outputs.sum()).abs() / self.bank.numel()
        self.bank[batch.indices] = batch.outputs.detach()
        self.seen[batch.indices] = True
        if self.poisoned:
            pull = pull * float("nan")
        scale = self.noise * self.feature.mean() * (1 - batch.progress)
        return LossTerms({"pull": pull, "views": views, "bank": bank * scale}, {"views": 0.1})

    def after_step(self) -> None:
        self.calls.append("after_step")
        self.steps += 1
        with torch.no_grad():
            self.centres.clamp_(-1, 1)

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        self.calls.append(f"end_epoch {epoch}")
        self.bank.copy_(outputs.outputs())
        self.feature.copy_(outputs.features().mean(dim=0))

    def database_codes(self) -> Codes | None:
        self.calls.append("database_codes")
        return Codes.from_outputs(-self.bank.cpu().numpy()) if self.params.learned else None
