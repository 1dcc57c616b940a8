"""Training on cached features equals training with the frozen backbone in eval mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.core.canonical import digest_file
from hashbench.core.cell import (
    BackboneMode,
    Cell,
    Component,
    DataChoice,
    Head,
    Precision,
    TrainSettings,
    Weights,
)
from hashbench.core.codes import Codes, Role
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.methods.backbones.ae_vit import AEViTMini
from hashbench.methods.backbones.resnet import ResNetMini
from hashbench.methods.building_blocks.features import BackboneFeatures
from hashbench.methods.interface import (
    Backbone,
    BackboneOutput,
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
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.images import DeviceImages

CPU = torch.device("cpu")
CHOICE = DataChoice("x", 1, "x@1", "0" * 64, image_size=16)
TRUNK = Component("resnet_mini", 1, {"width": 4})
MINI = Component("ae_vit_mini", 1, {"width": 24, "depth": 1})


class Counting(ResNetMini):
    """Counts the images it passes."""

    passed: ClassVar[list[int]] = []
    modes: ClassVar[set[bool]] = set()

    def forward(self, images: Tensor) -> BackboneOutput:
        Counting.passed.append(len(images))
        Counting.modes.add(self.training)
        return super().forward(images)


class Still(ResNetMini):
    """The same network held in eval mode and without gradient, for training without a cache."""

    def __init__(self, params: ResNetMini.Params, *, image_size: int) -> None:
        super().__init__(params, image_size=image_size)
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> Still:
        del mode
        super().train(False)
        return self


class Pulling(HashLoss):
    """Pulls outputs to a parameter of its own; keeps what it saw."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Pulling")
    seen: ClassVar[list[HashBatch]] = []
    contexts: ClassVar[list[LossContext]] = []

    def setup(self, ctx: LossContext) -> None:
        Pulling.contexts.append(ctx)
        self.proxy = torch.nn.Parameter(torch.randn(7, ctx.bits))

    def forward(self, batch: HashBatch) -> LossTerms:
        Pulling.seen.append(batch)
        return LossTerms({"pull": (batch.outputs - batch.labels @ self.proxy).square().mean()})


class Reading(Pulling):
    """Reads features before training, and spoils its copy."""

    needs: ClassVar[Needs] = Needs(prepass=True)

    def setup(self, ctx: LossContext) -> None:
        super().setup(ctx)
        assert ctx.features is not None
        self.read = ctx.features.clone()
        ctx.features.zero_()


class Comparing(Pulling):
    """Wants two augmented views."""

    needs: ClassVar[Needs] = Needs(views=2)


Fit = Callable[..., tuple[FitReport, deep.DeepHashMethod]]


@pytest.fixture
def view(pictures: NDArray[np.uint8]) -> TrainView:
    stream = DeviceImages(pictures, choice=CHOICE, protocol=load_protocol("digits@1"), device=CPU)
    return TrainView(stream, torch.eye(7), multilabel=False)


@pytest.fixture
def fit(
    settings: Callable[..., TrainSettings], view: TrainView, monkeypatch: pytest.MonkeyPatch
) -> Fit:
    for cls, name in ((Pulling, "seen"), (Pulling, "contexts"), (Counting, "passed")):
        monkeypatch.setattr(cls, name, [])
    monkeypatch.setattr(Counting, "modes", set())

    def run(
        cls: type[Backbone] = ResNetMini,
        loss: type[HashLoss] = Pulling,
        *,
        mode: BackboneMode = BackboneMode.FROZEN,
        head: Head = Head(),  # noqa: B008 - a frozen value
        file: Path | None = None,
        checkpoints: Path | None = None,
        trunk: Component = TRUNK,
        precision: Precision = Precision.FP32,
        **changes: Any,
    ) -> tuple[FitReport, deep.DeepHashMethod]:
        cell = Cell(
            CHOICE,
            bits=6,
            seed=0,
            precision=precision,
            backbone=trunk,
            weights=Weights("file", digest_file(file)) if file else Weights(),
            head=head,
            loss=Component("pulling", 1),
            train=settings(backbone=mode, **changes),
        )
        method = deep.DeepHashMethod(cls, loss, cell=cell)
        ctx = TrainContext(cell, CPU, weights=file, checkpoints=checkpoints)
        return method.fit(view, ctx), method

    return run


def head_of(method: deep.DeepHashMethod) -> dict[str, Tensor]:
    assert method._network is not None
    return dict(method._network.head.state_dict())


def codes_of(method: deep.DeepHashMethod, view: TrainView) -> NDArray[np.uint8]:
    codes = method.encode(view.images, Role.DATABASE)
    assert isinstance(codes, Codes)
    return codes.packed


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("head", [Head(), Head("mlp3", "bn")])
def test_training_on_the_cache_is_training_with_the_backbone_in_eval_mode_and_no_gradient(
    head: Head, precision: Precision, fit: Fit, view: TrainView
) -> None:
    settings: dict[str, Any] = {"head": head, "precision": precision, "epochs": 4}
    cached, frozen = fit(**settings)
    plain, still = fit(Still, mode=BackboneMode.TUNED, **settings)

    expected, found = head_of(still), head_of(frozen)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(cached.history, plain.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert cached.parameters == plain.parameters
    np.testing.assert_array_equal(codes_of(frozen, view), codes_of(still, view))


def test_tuning_the_same_network_gives_another_head(fit: Fit) -> None:
    _, frozen = fit(epochs=4)
    _, tuned = fit(epochs=4, mode=BackboneMode.TUNED)

    key = "last_layer.weight"
    assert not torch.allclose(head_of(frozen)[key], head_of(tuned)[key], atol=1e-4)


def test_every_training_image_passes_the_backbone_once_however_long_the_training(
    fit: Fit, view: TrainView
) -> None:
    report, method = fit(Counting, epochs=5)

    assert sum(Counting.passed) == 7
    assert "features" in report.phases
    method.encode(view.images, Role.QUERY)
    assert sum(Counting.passed) == 14
    assert Counting.modes == {False}


def test_the_backbone_is_in_no_group_of_the_optimiser_and_in_no_checkpoint(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: dict[str, list[Tensor]] = {}

    def spy(settings: TrainSettings, **given: Any) -> torch.optim.Optimizer:
        groups.update({name: list(parameters) for name, parameters in given.items()})
        return build(settings, **groups)

    build = deep.build_optimiser
    monkeypatch.setattr(deep, "build_optimiser", spy)
    report, _ = fit(checkpoints=tmp_path)

    assert groups["backbone"] == []
    assert sorted(tuple(p.shape) for p in groups["new"]) == [(6,), (6, 16), (7, 6)]
    assert report.parameters == 6 * 16 + 6 + 7 * 6
    saved = Checkpoints(tmp_path).load()
    assert saved
    assert set(saved["network"]) == {"head.last_layer.weight", "head.last_layer.bias"}


def test_an_interrupted_training_goes_on_to_the_same_head(fit: Fit, tmp_path: Path) -> None:
    _, unbroken = fit(epochs=3, head=Head("mlp3"), checkpoints=tmp_path)
    (tmp_path / "epoch-000003.pt").unlink()

    report, resumed = fit(epochs=3, head=Head("mlp3"), checkpoints=tmp_path)

    assert report.resumed_from == 2
    expected = head_of(unbroken)
    assert all(torch.equal(value, expected[key]) for key, value in head_of(resumed).items())


def test_batches_carry_the_cached_features_of_their_images(fit: Fit, view: TrainView) -> None:
    _, method = fit()

    assert method._extract is not None
    known = BackboneFeatures(method._extract.backbone, CPU, precision=Precision.FP32)(view.images)
    for batch in Pulling.seen:
        assert torch.equal(batch.features, known[batch.indices])
        assert not batch.features.requires_grad
        assert batch.outputs.requires_grad


def test_a_prepass_reads_the_cache_and_cannot_spoil_it(fit: Fit) -> None:
    _, method = fit(Counting, Reading, prepass="weights")

    assert sum(Counting.passed) == 7
    assert isinstance(method._loss, Reading)
    assert method._loss.read.abs().sum() > 0
    for batch in Pulling.seen:
        assert torch.equal(batch.features, method._loss.read[batch.indices])


def test_a_prepass_on_pixels_still_reads_pixels(fit: Fit) -> None:
    _, method = fit(Counting, Reading, prepass="pixels")

    assert isinstance(method._loss, Reading)
    assert method._loss.read.shape == (7, 256)


def test_validation_images_pass_the_backbone_once_and_only_if_they_are_used(
    fit: Fit, view: TrainView, settings: Callable[..., TrainSettings]
) -> None:
    found = []

    def validate(queries: Codes, database: Codes) -> dict[str, float]:
        found.append((len(queries), len(database)))
        return {}

    fit(epochs=1)  # empties what was counted
    for every, expected in ((0, 7), (1, 14)):
        Counting.passed.clear()
        cell = Cell(
            CHOICE,
            bits=6,
            seed=0,
            backbone=TRUNK,
            head=Head(),
            loss=Component("pulling", 1),
            train=settings(backbone=BackboneMode.FROZEN, epochs=3),
        )
        held = {"validation": view.images, "validate": validate, "validate_every": every}
        ctx = replace(TrainContext(cell, CPU), **held)
        deep.DeepHashMethod(Counting, Pulling, cell=cell).fit(view, ctx)
        assert sum(Counting.passed) == expected
    assert found == [(7, 7)] * 3


def test_two_views_pass_a_frozen_backbone_at_every_step_and_leave_it_as_it_was(
    fit: Fit, view: TrainView
) -> None:
    _, method = fit(Counting, Comparing, augmentation="flip", epochs=3)

    assert sum(Counting.passed) == 3 * 2 * 7
    assert Counting.modes == {False}
    first, second = Comparing.seen[0], Comparing.seen[0].second
    assert second is not None and second.shape == first.outputs.shape
    _, untrained = fit(Counting, Comparing, augmentation="flip", epochs=1, lr=0.0)
    assert method._network is not None and untrained._network is not None
    for trained, fresh in zip(
        method._network.backbone.state_dict().values(),
        untrained._network.backbone.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(trained, fresh)
    assert not np.array_equal(codes_of(method, view), codes_of(untrained, view))


@pytest.mark.parametrize(
    ("loss", "changes", "problem"),
    [
        (Pulling, {"augmentation": "flip"}, r"augmentation flip .*\{augmentation: none\}$"),
        (Pulling, {"head": Head("vts")}, "vts reads its tokens. Use the neck pool or mlp3$"),
        (Comparing, {}, r"compares 2 augmented views .* the same. .*\{augmentation: crop_flip\}$"),
    ],
)
def test_what_would_need_images_again_is_refused_in_one_line(
    loss: type[HashLoss], changes: dict[str, Any], problem: str, fit: Fit
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        fit(loss=loss, **changes)
    assert "\n" not in str(caught.value)


def saved_trunk(path: Path, *, learned: bool) -> Path:
    """A weights file of an AE-ViT-mini whose AEM has learned, or one without an AEM."""
    torch.manual_seed(4)
    params = AEViTMini.Params(width=24, depth=1)
    state = AEViTMini(params, image_size=16).state_dict()
    if learned:
        state = {k: v + 0.1 if "enhance" in k else v for k, v in state.items()}
    else:
        state = {k: v for k, v in state.items() if "enhance" not in k}
    torch.save(state, path)
    return path


def test_an_aem_that_no_weights_cover_would_stay_the_identity_and_is_refused(
    fit: Fit, tmp_path: Path
) -> None:
    file = saved_trunk(tmp_path / "plain.pt", learned=False)

    for given in (None, file):
        with pytest.raises(DataError, match="do not hold the new parts of ae_vit_mini") as caught:
            fit(AEViTMini, trunk=MINI, file=given)
        assert "\n" not in str(caught.value)


def test_an_aem_that_comes_with_the_weights_is_frozen_like_the_rest(
    fit: Fit, tmp_path: Path
) -> None:
    file = saved_trunk(tmp_path / "learned.pt", learned=True)

    report, _ = fit(AEViTMini, trunk=MINI, file=file)

    assert report.weights_sha256 == digest_file(file)
    assert report.parameters == 6 * 24 + 6 + 7 * 6


def test_without_its_parts_there_is_nothing_to_miss(fit: Fit) -> None:
    bare = Component(
        "ae_vit_mini", 1, {**MINI.params, "local": False, "channel": False, "spatial": False}
    )

    report, _ = fit(AEViTMini, trunk=bare)

    assert report.epochs == 2
