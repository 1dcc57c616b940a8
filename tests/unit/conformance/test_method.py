"""The conformance suites of shallow methods and datasets: ours pass, broken ones are seen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from hashbench.conformance import dataset, shallow
from hashbench.conformance.findings import Finding
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.core.registry import Entry, Kind, registry
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.methods.interface import FitReport, ImageStream, Method, TrainContext, TrainView
from hashbench.methods.shallow.interface import ShallowMethod


def failures(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.title: finding for finding in findings if not finding.passed}


class Good(ShallowMethod):
    """The first features about their mean."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Good")

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        pass

    def project(self, centred: Tensor) -> Tensor:
        return centred[:, : self.bits]


class NoCard(Good):
    """Has an empty card."""

    info: ClassVar[ComponentInfo] = ComponentInfo("")


class OneCode(Good):
    """Has one code for all."""

    def project(self, centred: Tensor) -> Tensor:
        return torch.ones(len(centred), self.bits)


class ByChance(Good):
    """Draws its projection with a seed that is not given."""

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        chance = torch.Generator().manual_seed(random.SystemRandom().randrange(2**60))
        size = (centred.shape[1], self.bits)
        self.projection = torch.randn(size, generator=chance, dtype=torch.float64)

    def project(self, centred: Tensor) -> Tensor:
        return centred @ self.projection


class AmongOthers(Good):
    """Centres what it encodes by itself."""

    def encode(self, images: ImageStream, role: Role) -> Codes | Embeddings:
        features = self.features(images)[:, : self.bits]
        return Codes.from_outputs((features - features.mean(0) - 1e-6).numpy())


class WritesLabels(Good):
    """Divides the labels in place."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        data.labels.mul_(0.5)
        return super().fit(data, ctx)


class Silent(Good):
    """Reports nothing."""

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        super().fit(data, ctx)
        return FitReport(phases={})


BROKEN = {
    NoCard: "card and parameters",
    OneCode: "encodes every image",
    ByChance: "deterministic under a seed",
    AmongOthers: "encodes an image by itself",
    WritesLabels: "labels are left alone",
    Silent: "reports its fit",
}


@pytest.mark.parametrize("name", registry().names(Kind.METHOD))
def test_every_method_of_ours_conforms(name: str) -> None:
    assert failures(shallow.check_method(registry().load(Kind.METHOD, name))) == {}


@pytest.mark.parametrize(("cls", "title"), BROKEN.items())
def test_each_way_to_break_a_method_is_seen(cls: type[Method], title: str) -> None:
    assert title in failures(shallow.check_method(cls))
    assert set(BROKEN.values()) == {check.title for check in shallow.CHECKS}


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_mini"])
def test_datasets_of_ours_conform(name: str) -> None:
    findings = dataset.check_dataset(name)
    assert failures(findings) == {}
    assert "500" in findings[-1].seen


class OtherDigits(Dataset):
    """Digits that are changed as a test says."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Other", labels=frozenset({LabelKind.SINGLE}))
    default_protocol: ClassVar[str] = "digits@1"
    change: ClassVar[Callable[[ImageData], dict[str, Any]]]
    loads = 0

    def load(self, root: Path | None) -> ImageData:
        OtherDigits.loads += 1
        data: ImageData = registry().load(Kind.DATASET, "digits")().load(root)
        return replace(data, **type(self).change(data))


CHANGES: dict[str, Callable[[ImageData], dict[str, Any]]] = {
    "images and labels": lambda data: {"images": data.images.astype(np.float32)},
    "loads the same twice": lambda data: {"images": data.images ^ np.uint8(OtherDigits.loads)},
    "label kinds of its info": lambda data: {"labels": np.ones_like(data.labels)},
    "protocols fit the data": lambda data: {},  # digits@1 is of another dataset
}


@pytest.mark.parametrize("title", CHANGES)
def test_each_way_to_break_a_dataset_is_seen(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry(Kind.DATASET, "other", f"{__name__}:OtherDigits", "here")
    known = {**registry()._entries, (Kind.DATASET, "other"): entry}
    monkeypatch.setattr(registry(), "_entries", known)
    monkeypatch.setattr(OtherDigits, "loads", 0)
    monkeypatch.setattr(OtherDigits, "change", staticmethod(CHANGES[title]), raising=False)
    failed = failures(dataset.check_dataset("other"))
    assert title in failed
    assert failed[title].seen and failed[title].fix
