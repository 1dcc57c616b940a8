"""A deep method hands every parameter to the right group, and trains as its settings say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hashbench.core.canonical import digest_file
from hashbench.core.cell import Cell, Component, DataChoice, Head, Precision, TrainSettings, Weights
from hashbench.core.codes import Codes, Role
from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.methods.interface import (
    Backbone,
    BackboneOutput,
    DivergedError,
    FitReport,
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
    Needs,
    TrainContext,
    TrainView,
)
from hashbench.training import deep
from hashbench.training.backbone import state_sha256
from hashbench.training.images import DeviceImages

CPU = torch.device("cpu")
NO_WEIGHTS = Weights()
CHOICE = DataChoice("x", 1, "x@1", "0" * 64, image_size=16)


class Flat(Backbone):
    """One old layer and one that is new beside pretrained weights."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Flat")
    feature_dim = 5

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        self.trunk = nn.Linear(3 * image_size**2, 5)
        self.added = nn.Linear(5, 5)

    def forward(self, images: Tensor) -> BackboneOutput:
        return BackboneOutput(self.added(self.trunk(images.flatten(1))))

    def new_parameters(self) -> list[nn.Parameter]:
        return list(self.added.parameters())

    def load_pretrained(self, state: Any) -> None:
        self.trunk.load_state_dict(dict(state))

    @classmethod
    def fetch_pretrained(cls, params: BaseParams, tag: str) -> dict[str, Tensor]:
        return {"weight": torch.full((5, 768), 0.5), "bias": torch.ones(5)}


class Owning(HashLoss):
    """A loss with a parameter of its own; keeps what it saw."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Owning")
    seen: ClassVar[list[HashBatch]] = []
    broken: ClassVar[float] = 1.0
    features: ClassVar[Tensor | None] = None

    def setup(self, ctx: LossContext) -> None:
        self.ctx = ctx
        Owning.features = ctx.features
        self.proxy = nn.Parameter(torch.randn(ctx.bits))

    def forward(self, batch: HashBatch) -> LossTerms:
        Owning.seen.append(batch)
        ctx_labels = self.ctx.labels
        ctx_labels.zero_()  # a loss that writes to its labels harms itself alone
        return LossTerms({"pull": (batch.outputs - self.proxy).square().mean() * self.broken})


Fit = Callable[..., tuple[FitReport, deep.DeepHashMethod]]


@pytest.fixture
def fit(
    settings: Callable[..., TrainSettings],
    pictures: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> Fit:
    monkeypatch.setattr(Owning, "seen", [])

    def run(
        *,
        count: int = 7,
        head: str = "linear",
        precision: Precision = Precision.FP32,
        weights: Weights = NO_WEIGHTS,
        file: Path | None = None,
        **changes: Any,
    ) -> tuple[FitReport, deep.DeepHashMethod]:
        cell = Cell(
            CHOICE,
            bits=6,
            seed=0,
            precision=precision,
            backbone=Component("flat", 1),
            weights=weights,
            head=Head(last_layer=head),
            loss=Component("owning", 1),
            train=settings(**changes),
        )
        method = deep.DeepHashMethod(Flat, Owning, cell=cell)
        view = TrainView(images(pictures[:count]), torch.eye(7)[:count], multilabel=False)
        return method.fit(view, TrainContext(cell, CPU, weights=file)), method

    return run


def images(pictures: NDArray[np.uint8]) -> DeviceImages:
    return DeviceImages(pictures, choice=CHOICE, protocol=load_protocol("digits@1"), device=CPU)


def test_head_loss_and_new_backbone_layers_learn_at_one_rate_the_trunk_at_another(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[dict[str, Any]] = []

    def spy(settings: TrainSettings, **groups: Any) -> torch.optim.Optimizer:
        built.append({name: list(parameters) for name, parameters in groups.items()})
        return build(settings, **built[0])

    build = deep.build_optimiser
    monkeypatch.setattr(deep, "build_optimiser", spy)

    report, _ = fit()

    shapes = {name: [tuple(p.shape) for p in group] for name, group in built[0].items()}
    assert sorted(shapes["backbone"]) == [(5,), (5, 768)]
    assert sorted(shapes["new"]) == [(5,), (5, 5), (6,), (6,), (6, 5)]
    assert report.parameters == 5 * 768 + 5 + 5 * 5 + 5 + 6 * 5 + 6 + 6


def test_a_rate_of_zero_leaves_the_trunk_and_the_loss_still_learns(fit: Fit) -> None:
    _, method = fit(backbone_lr=0.0, weights=Weights("timm/flat"))

    _, unmoved = fit(backbone_lr=0.0, lr=0.0, weights=Weights("timm/flat"))
    assert method._network is not None and isinstance(method._network.backbone, Flat)
    assert torch.equal(method._network.backbone.trunk.weight, torch.full((5, 768), 0.5))
    assert isinstance(method._loss, Owning) and isinstance(unmoved._loss, Owning)
    assert not torch.equal(method._loss.proxy, unmoved._loss.proxy)


def test_an_incomplete_batch_is_kept_unless_it_holds_one_image(fit: Fit) -> None:
    fit(count=7, batch_size=4, epochs=1)
    fit(count=5, batch_size=4, epochs=1)
    fit(count=1, batch_size=4, epochs=1)

    assert [len(batch.indices) for batch in Owning.seen] == [4, 3, 4, 1]


def test_with_batchnorm_every_incomplete_batch_is_dropped_unless_it_is_the_only_one(
    fit: Fit,
) -> None:
    fit(count=7, batch_size=4, epochs=1, head="bn")
    fit(count=3, batch_size=4, epochs=1, head="bn")

    assert [len(batch.indices) for batch in Owning.seen] == [4, 3]


def test_every_epoch_visits_each_image_once_in_another_order(fit: Fit) -> None:
    fit(epochs=2, batch_size=7)

    first, second = (batch.indices.tolist() for batch in Owning.seen)
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_batches_carry_their_own_labels_and_the_progress_of_the_run(fit: Fit) -> None:
    fit(epochs=2, batch_size=4)

    assert [batch.progress for batch in Owning.seen] == [0.0, 0.25, 0.5, 0.75]
    for batch in Owning.seen:
        assert torch.equal(batch.labels, torch.eye(7)[batch.indices])


def test_encoding_uses_neither_dropout_nor_the_statistics_of_a_batch(
    fit: Fit, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[bool] = []
    forward = Flat.forward

    def noisy(self: Flat, batch: Tensor) -> BackboneOutput:
        modes.append(self.training)
        pooled = forward(self, batch).pooled
        return BackboneOutput(nn.functional.dropout(pooled, 0.9, training=self.training))

    monkeypatch.setattr(Flat, "forward", noisy)
    _, method = fit(head="bn", epochs=60, lr=0.0, backbone_lr=0.0)
    assert set(modes) == {True}
    modes.clear()

    together = method.encode(images(pictures[:7]), Role.QUERY)
    alone = [method.encode(images(pictures[i : i + 1]), Role.DATABASE) for i in range(7)]

    assert isinstance(together, Codes)
    assert set(modes) == {False}
    assert len(np.unique(together.packed, axis=0)) > 1
    for i, one in enumerate(alone):
        assert isinstance(one, Codes)
        assert np.array_equal(one.packed[0], together.packed[i])


def test_bf16_gives_the_loss_float32(fit: Fit) -> None:
    fit(precision=Precision.BF16)

    assert {batch.outputs.dtype for batch in Owning.seen} == {torch.float32}
    assert {batch.features.dtype for batch in Owning.seen} == {torch.float32}


def test_a_loss_that_is_not_finite_ends_the_fit(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owning, "broken", float("inf"))

    with pytest.raises(DivergedError, match=r"epoch 1: the loss is not finite: \{'pull': nan"):
        fit()


def test_weights_that_became_nan_are_a_divergence_too(fit: Fit) -> None:
    _, method = fit()
    assert method._network is not None
    with torch.no_grad():
        for parameter in method._network.parameters():
            parameter.fill_(float("nan"))

    with pytest.raises(DivergedError, match="not finite"):
        method.encode(images(np.zeros((2, 16, 16), np.uint8)), Role.QUERY)


def test_weights_of_a_tag_are_recorded_by_the_checksum_of_what_was_loaded(fit: Fit) -> None:
    report, _ = fit(weights=Weights("timm/flat"))

    assert report.weights_sha256 == state_sha256(Flat.fetch_pretrained(BaseParams(), ""))
    assert report.weights_sha256 != state_sha256({"weight": torch.ones(5, 768)})


def test_weights_of_a_file_are_recorded_by_its_checksum(fit: Fit, tmp_path: Path) -> None:
    file = tmp_path / "flat.pt"
    torch.save({"weight": torch.ones(5, 768), "bias": torch.ones(5)}, file)

    report, _ = fit(weights=Weights("flat.pt", digest_file(file)), file=file)

    assert report.weights_sha256 == digest_file(file)


def test_a_weights_file_that_changed_since_the_plan_is_refused(fit: Fit, tmp_path: Path) -> None:
    file = tmp_path / "flat.pt"
    torch.save({"weight": torch.ones(5, 768), "bias": torch.ones(5)}, file)

    with pytest.raises(DataError, match=r"flat\.pt: the file was changed"):
        fit(weights=Weights("flat.pt", "0" * 64), file=file)


def test_a_prepass_reads_pixels_or_the_backbone_with_or_without_its_weights(
    fit: Fit, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owning, "needs", Needs(prepass=True))
    pretrained = Weights("timm/flat")
    found = {}
    for prepass, weights in [
        ("pixels", pretrained),
        ("weights", pretrained),
        ("random", pretrained),
        ("random", NO_WEIGHTS),
    ]:
        fit(prepass=prepass, weights=weights, epochs=1)
        assert Owning.features is not None
        found[prepass, weights.source] = Owning.features

    flat = pictures.reshape(7, -1)
    np.testing.assert_allclose(found["pixels", "timm/flat"].numpy(), flat / 255, rtol=1e-6)
    assert torch.equal(found["random", "timm/flat"], found["random", "none"])
    assert not torch.allclose(found["weights", "timm/flat"], found["random", "none"])


def test_no_weights_have_no_checksum(fit: Fit) -> None:
    report, _ = fit()

    assert report.weights_sha256 is None


def test_the_loss_starts_the_same_whatever_the_backbone(fit: Fit) -> None:
    _, one = fit(lr=0.0)
    _, other = fit(lr=0.0, head="bn")

    assert isinstance(one._loss, Owning) and isinstance(other._loss, Owning)
    assert torch.equal(one._loss.proxy, other._loss.proxy)
