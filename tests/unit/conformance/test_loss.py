"""The conformance suite of losses: ours pass, and each way to break one is seen."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from hashbench.conformance.findings import Finding
from hashbench.conformance.loss import CHECKS, check_loss
from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind, registry
from hashbench.methods.interface import (
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
    Needs,
    OutputAccess,
)


class Good(HashLoss):
    """Outputs are drawn to learned centres, slowly forgotten ones too."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Good")
    needs: ClassVar[Needs] = Needs(views=2, prepass=True)
    weights: ClassVar[dict[str, float]] = {"bound": 0.1}
    labels: Tensor
    memory: Tensor

    def setup(self, ctx: LossContext) -> None:
        self.generator = ctx.generator
        size = (ctx.labels.shape[1], ctx.bits)
        self.centres = nn.Parameter(torch.randn(size, generator=ctx.generator).to(ctx.device))
        self.register_buffer("memory", torch.zeros(size, device=ctx.device))
        self.register_buffer("labels", ctx.labels, persistent=False)

    def forward(self, batch: HashBatch) -> LossTerms:
        centres = self.centres + self.memory
        terms = {
            "pull": (batch.outputs - batch.labels @ centres).square().mean(),
            "bound": batch.outputs.abs().mean(),
        }
        return LossTerms(terms, self.weights)

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        self.memory.copy_(0.1 * self.labels.T @ outputs.outputs() / len(self.labels))

    def database_codes(self) -> Codes | None:
        return Codes.from_outputs((self.labels @ self.memory).numpy())


class NoCard(Good):
    """Its preset names a parameter that it does not have."""

    class Params(BaseParams):
        presets: ClassVar[Any] = {"paper": {"margin": 1.0}}


class NotScalar(Good):
    """One value an image."""

    def forward(self, batch: HashBatch) -> LossTerms:
        pull = super().forward(batch).terms["pull"]
        return LossTerms({"pull": pull.expand(len(batch.outputs))})


class WeighsNothing(Good):
    """Weighs a term that is not there."""

    weights: ClassVar[dict[str, float]] = {"quantization": 0.1}


class Detached(Good):
    """Only its centres learn."""

    def forward(self, batch: HashBatch) -> LossTerms:
        pull = (batch.outputs.detach() - batch.labels @ self.centres).square().mean()
        return LossTerms({"pull": pull})


class DividesLabels(Good):
    """Divides the label rows in place."""

    def forward(self, batch: HashBatch) -> LossTerms:
        batch.labels.mul_(0.5)
        return super().forward(batch)


class Outside(Good):
    """Visits a position after the last."""

    def epoch_indices(self, epoch: int) -> Tensor:
        return torch.arange(1, len(self.labels) + 1)


class ByTheClock(Good):
    """Draws with a seed that is not given."""

    def forward(self, batch: HashBatch) -> LossTerms:
        chance = torch.Generator().manual_seed(time.perf_counter_ns())
        noise = torch.randn(batch.outputs.shape, generator=chance)
        return LossTerms({"pull": (batch.outputs + noise).square().mean()})


class InAList(Good):
    """Keeps parameters where no optimiser finds them."""

    def setup(self, ctx: LossContext) -> None:
        super().setup(ctx)
        self.more = [torch.zeros(ctx.bits, requires_grad=True)]

    def forward(self, batch: HashBatch) -> LossTerms:
        terms = dict(super().forward(batch).terms)
        return LossTerms(terms | {"more": (batch.outputs - self.more[0]).square().mean()})


class Unused(Good):
    """Owns a parameter that nothing uses."""

    def setup(self, ctx: LossContext) -> None:
        super().setup(ctx)
        self.unused = nn.Parameter(torch.ones(3))


class MadeLate(Good):
    """Makes a buffer when the first batch comes."""

    def forward(self, batch: HashBatch) -> LossTerms:
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.zeros(3))
        return super().forward(batch)


class Forgetful(Good):
    """Counts its steps in a plain attribute, and the count matters."""

    steps = 0

    def forward(self, batch: HashBatch) -> LossTerms:
        terms = super().forward(batch).terms
        return LossTerms({name: term / (1 + self.steps) for name, term in terms.items()})

    def after_step(self) -> None:
        self.steps += 1


class StaysBehind(Good):
    """Keeps a tensor that no device move reaches."""

    def setup(self, ctx: LossContext) -> None:
        super().setup(ctx)
        self.scale = torch.ones(ctx.bits)


class FewCodes(Good):
    """Has a code for some training images only."""

    def database_codes(self) -> Codes | None:
        return Codes.from_outputs(self.memory.numpy())


class MeanOverPositives(Good):
    """Divides by the number of dissimilar pairs."""

    def forward(self, batch: HashBatch) -> LossTerms:
        apart = batch.labels @ batch.labels.T == 0
        products = batch.outputs @ batch.outputs.T
        return LossTerms({"apart": products[apart].mean()})


class OverOthers(Good):
    """Divides by the number of other images."""

    def forward(self, batch: HashBatch) -> LossTerms:
        pull = super().forward(batch).terms["pull"]
        return LossTerms({"pull": pull * 1 / torch.tensor(len(batch.outputs) - 1)})


class Exponential(Good):
    """Takes the logarithm of an exponential."""

    def forward(self, batch: HashBatch) -> LossTerms:
        return LossTerms({"soft": (1 + batch.outputs.exp()).log().mean()})


class OneLabel(Good):
    """Says it takes several labels, and takes one."""

    def forward(self, batch: HashBatch) -> LossTerms:
        if bool((batch.labels.sum(1) > 1).any()):
            raise ValueError("more than one label")
        return super().forward(batch)


class OneLabelStated(OneLabel):
    """Takes one label, and says so."""

    info: ClassVar[ComponentInfo] = ComponentInfo("One", labels=frozenset({LabelKind.SINGLE}))


BROKEN = {
    NoCard: "card and parameters",
    NotScalar: "named terms are finite scalars",
    WeighsNothing: "named terms are finite scalars",
    Detached: "gradient reaches the outputs",
    DividesLabels: "labels are left alone",
    Outside: "training positions",
    ByTheClock: "deterministic under a seed",
    InAList: "parameters it owns",
    Unused: "parameters it owns",
    MadeLate: "parameters it owns",
    Forgetful: "resumed equals unbroken",
    StaysBehind: "moves to a device",
    FewCodes: "end of an epoch",
    MeanOverPositives: "one-sided batches",
    OverOthers: "a batch of one",
    Exponential: "extreme outputs",
    OneLabel: "label kinds of its info",
}


def failures(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.title: finding for finding in findings if not finding.passed}


@pytest.mark.parametrize("name", registry().names(Kind.LOSS))
def test_every_loss_of_ours_conforms(name: str) -> None:
    findings = check_loss(registry().load(Kind.LOSS, name))
    assert failures(findings) == {}
    assert len(findings) == len(CHECKS)
    assert all(finding.seen for finding in findings)


@pytest.mark.parametrize("cls", [Good, OneLabelStated])
def test_a_loss_that_uses_views_prepass_and_learned_codes_conforms(cls: type[HashLoss]) -> None:
    assert failures(check_loss(cls)) == {}


@pytest.mark.parametrize(("cls", "title"), BROKEN.items())
def test_each_way_to_break_a_loss_is_seen_with_a_remedy(cls: type[HashLoss], title: str) -> None:
    failed = failures(check_loss(cls))
    assert title in failed
    assert failed[title].seen and failed[title].fix


def test_every_check_is_failed_by_a_broken_loss() -> None:
    titles = {check.title for check in CHECKS}
    assert set(BROKEN.values()) | {"state makes the round trip"} == titles
    assert "state makes the round trip" in failures(check_loss(Forgetful))


def test_what_was_seen_names_the_tensor_or_the_line() -> None:
    seen = {cls: failures(check_loss(cls))[BROKEN[cls]].seen for cls in (InAList, Unused, OneLabel)}
    assert "self.more[0]" in seen[InAList]
    assert "unused" in seen[Unused]
    assert seen[OneLabel].startswith("ValueError: more than one label (test_loss.py:")


def test_a_single_label_loss_says_what_is_refused() -> None:
    seen = {finding.title: finding.seen for finding in check_loss(OneLabelStated)}
    expected = (
        "finite on single-label data; a matrix that pairs it with multi-label data is refused"
    )
    assert seen["label kinds of its info"] == expected
