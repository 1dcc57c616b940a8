"""The conformance suite of backbones: ours pass, and each way to break one is seen."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from hashbench.conformance.backbone import CHECKS, check_backbone
from hashbench.conformance.findings import Finding
from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams, resolve_params
from hashbench.core.registry import Kind, registry
from hashbench.methods.interface import Backbone, BackboneOutput

# Of a family and of large networks, a small member says as much about the code.
SMALL: dict[str, dict[str, Any]] = {
    "vit": {"variant": "tiny"},
    "ae_vit": {"variant": "tiny"},
    "deit": {"variant": "tiny"},
}
FAMILY_MEMBER = {"timm/*": "timm/resnet10t"}


class Good(Backbone):
    """A layer with dropout and BatchNorm on four average pixels."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Good")
    feature_dim = 6

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 6), nn.BatchNorm1d(6), nn.Dropout(0.1))

    def forward(self, images: Tensor) -> BackboneOutput:
        pooled = nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return BackboneOutput(self.trunk(pooled))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        if set(state) != set(self.state_dict()):
            raise DataError("weights: a tensor is missing")
        self.load_state_dict(dict(state))


class NoTitle(Good):
    """Has an empty card."""

    info: ClassVar[ComponentInfo] = ComponentInfo("")


class OtherWidth(Good):
    """Says another width than it gives."""

    feature_dim = 5


class InPlace(Good):
    """Scales the images that it is given."""

    def forward(self, images: Tensor) -> BackboneOutput:
        return super().forward(images.mul_(0.5))


class TokensUnsaid(Good):
    """Gives tokens and does not say so."""

    def forward(self, images: Tensor) -> BackboneOutput:
        pooled = super().forward(images).pooled
        return BackboneOutput(pooled, pooled[:, None])


class Unseeded(Good):
    """Starts from a number that is not drawn from a seeded generator."""

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__(params, image_size=image_size)
        nn.init.constant_(self.trunk[0].bias, random.SystemRandom().random())


class OverTheBatch(Good):
    """Centres its features over the batch in eval mode too."""

    def forward(self, images: Tensor) -> BackboneOutput:
        pooled = super().forward(images).pooled
        return BackboneOutput(pooled - pooled.mean(0))


class KeepsClassifier(Good):
    """Keeps a layer that nothing uses."""

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__(params, image_size=image_size)
        self.classifier = nn.Linear(6, 3)


class NewOfAnother(Good):
    """Calls a parameter new that is not its own."""

    def new_parameters(self) -> list[nn.Parameter]:
        return [nn.Parameter(torch.zeros(1))]


class TakesAnything(Good):
    """Loads what fits and says nothing of the rest."""

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        self.load_state_dict(dict(state), strict=False)


class StaysBehind(Good):
    """Keeps a tensor that no device move reaches."""

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__(params, image_size=image_size)
        self.mean = torch.zeros(6)


class Counts(Good):
    """Scales its features by how often it was called in training, in a plain attribute."""

    calls = 0

    def forward(self, images: Tensor) -> BackboneOutput:
        self.calls += self.training
        return BackboneOutput(super().forward(images).pooled * (1 + self.calls))


BROKEN = {
    NoTitle: "card and parameters",
    OtherWidth: "output shapes",
    InPlace: "output shapes",
    TokensUnsaid: "output shapes",
    Unseeded: "deterministic under a seed",
    OverTheBatch: "one image at a time",
    KeepsClassifier: "gradient reaches its parameters",
    NewOfAnother: "gradient reaches its parameters",
    TakesAnything: "loads weights",
    StaysBehind: "moves to a device",
    Counts: "resumed equals unbroken",
}


def failures(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.title: finding for finding in findings if not finding.passed}


@pytest.mark.parametrize("name", registry().names(Kind.BACKBONE))
def test_every_backbone_of_ours_conforms(name: str) -> None:
    cls = registry().load(Kind.BACKBONE, FAMILY_MEMBER.get(name, name))
    params = resolve_params(cls.Params, preset=None, params=SMALL.get(name, {}))
    assert failures(check_backbone(cls, cls.Params(**params))) == {}


@pytest.mark.parametrize(("cls", "title"), BROKEN.items())
def test_each_way_to_break_a_backbone_is_seen_with_a_remedy(
    cls: type[Backbone], title: str
) -> None:
    failed = failures(check_backbone(cls))
    assert title in failed
    assert failed[title].seen and failed[title].fix


def test_a_backbone_with_random_layers_conforms_and_every_check_is_failed_by_a_broken_one() -> None:
    assert failures(check_backbone(Good)) == {}
    assert set(BROKEN.values()) == {check.title for check in CHECKS}


def test_an_image_size_that_a_backbone_cannot_take_is_passed_over() -> None:
    class Large(Good):
        """Takes no image below 50 px."""

        def forward(self, images: Tensor) -> BackboneOutput:
            if images.shape[-1] < 50:
                raise ValueError("too small")
            return super().forward(images)

    seen = {finding.title: finding.seen for finding in check_backbone(Large)}
    assert seen["output shapes"] == "64 px: pooled (4, 6), no tokens"
