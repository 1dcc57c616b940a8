"""Options that make training fast or small change what they say they change, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hashbench.core.cell import (
    Cell,
    Component,
    DataChoice,
    Determinism,
    Head,
    Precision,
    TrainSettings,
)
from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.methods.interface import (
    Backbone,
    BackboneOutput,
    FitReport,
    HashBatch,
    HashLoss,
    LossTerms,
    Needs,
    TrainContext,
    TrainView,
)
from hashbench.training.deep import DeepHashMethod
from hashbench.training.determinism import configure
from hashbench.training.images import DeviceImages
from hashbench.training.optimisation import build_optimiser

CPU = torch.device("cpu")
CHOICE = DataChoice("x", 1, "x@1", "0" * 64, image_size=16)


class Small(Backbone):
    """A convolution and its mean."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Small")
    feature_dim = 5
    formats: ClassVar[set[bool]] = set()

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        del params, image_size
        self.trunk = nn.Conv2d(3, 5, 3)

    def forward(self, images: Tensor) -> BackboneOutput:
        inner = torch.channels_last
        self.formats.add(
            images.is_contiguous(memory_format=inner)
            and self.trunk.weight.is_contiguous(memory_format=inner)
        )
        return BackboneOutput(self.trunk(images).relu().mean((2, 3)))

    def load_pretrained(self, state: Any) -> None:
        raise NotImplementedError


class Pointwise(HashLoss):
    """A mean over images; keeps the images it was given and counts its steps."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Pointwise")
    seen: ClassVar[list[list[int]]] = []
    steps: ClassVar[list[int]] = []

    def forward(self, batch: HashBatch) -> LossTerms:
        self.seen.append(batch.indices.tolist())
        return LossTerms({"far": (batch.outputs - 1).square().mean()})

    def after_step(self) -> None:
        self.steps.append(len(self.seen))


class TwoViews(Pointwise):
    """The same of two views."""

    needs: ClassVar[Needs] = Needs(views=2)


Fit = Callable[..., tuple[FitReport, DeepHashMethod]]


@pytest.fixture
def fit(
    settings: Callable[..., TrainSettings],
    pictures: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> Fit:
    def run(
        *, loss: type[HashLoss] = Pointwise, precision: Precision = Precision.FP32, **changes: Any
    ) -> tuple[FitReport, DeepHashMethod]:
        for cls, name, empty in (
            (Pointwise, "seen", []),
            (Pointwise, "steps", []),
            (Small, "formats", set()),
        ):
            monkeypatch.setattr(cls, name, empty)
        cell = Cell(
            CHOICE,
            bits=6,
            seed=0,
            precision=precision,
            backbone=Component("small", 1),
            head=Head(),
            loss=Component("pointwise", 1),
            train=settings(**changes),
        )
        images = DeviceImages(
            pictures,
            choice=CHOICE,
            protocol=load_protocol("digits@1"),
            augmentation=changes.get("augmentation", "none"),
            device=CPU,
            channels_last=cell.channels_last,
        )
        method = DeepHashMethod(Small, loss, cell=cell)
        view = TrainView(images, torch.eye(7), multilabel=False)
        return method.fit(view, TrainContext(cell, CPU)), method

    return run


def weights(method: DeepHashMethod) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in method.encoder_state().values()])


@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_loss_that_is_a_mean_over_images_learns_the_same_in_parts(
    accumulate: int, fit: Fit
) -> None:
    whole_report, whole = fit(batch_size=8, epochs=3)
    report, parts = fit(batch_size=8, epochs=3, accumulate=accumulate)

    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=1e-4)
    assert report.images_seen == whole_report.images_seen == 21
    for one, other in zip(report.history, whole_report.history, strict=True):
        assert one["total"] == pytest.approx(other["total"], rel=1e-4)


def test_parts_are_equal_as_can_be_hold_pairs_and_make_one_step(fit: Fit) -> None:
    fit(batch_size=4, epochs=1, accumulate=2)

    # Seven images: a batch of 4 in two parts, and one of 3, which has no two parts with a pair.
    assert [len(part) for part in Pointwise.seen] == [2, 2, 3]
    assert sorted(chain.from_iterable(Pointwise.seen)) == list(range(7))
    assert Pointwise.steps == [2, 3]


@pytest.mark.parametrize(("batch", "accumulate"), [(10, 3), (4, 4), (2, 2)])
def test_parts_that_are_not_equal_or_hold_no_pair_are_refused(
    batch: int, accumulate: int, fit: Fit
) -> None:
    with pytest.raises(ConfigError, match=f"accumulate {accumulate} does not divide batch_size"):
        fit(batch_size=batch, accumulate=accumulate)


def test_rmsprop_fused_is_refused(fit: Fit) -> None:
    with pytest.raises(ConfigError, match="rmsprop has no fused form"):
        fit(optimiser="rmsprop", fused=True)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_a_fused_optimiser_takes_the_same_steps(optimiser: str, fit: Fit) -> None:
    changes = {"optimiser": optimiser, "weight_decay": 0.01, "epochs": 3}
    _, plain = fit(**changes)
    _, fused = fit(**changes, fused=True)

    torch.testing.assert_close(weights(fused), weights(plain), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fused", [False, True])
def test_only_what_is_asked_for_is_fused(
    fused: bool, settings: Callable[..., TrainSettings]
) -> None:
    parameter = nn.Parameter(torch.zeros(2))
    built = build_optimiser(settings(fused=fused), new=[parameter], backbone=[])
    assert bool(built.defaults["fused"]) is fused


@pytest.mark.parametrize("inner", [False, True])
def test_images_and_filters_have_their_channels_innermost_if_asked(inner: bool, fit: Fit) -> None:
    fit(channels_last=inner)
    assert Small.formats == {inner}


def test_channels_last_learns_the_same(fit: Fit) -> None:
    _, plain = fit(epochs=3)
    _, inner = fit(epochs=3, channels_last=True)
    torch.testing.assert_close(weights(inner), weights(plain), atol=1e-5, rtol=1e-4)


def test_a_compiled_network_is_trained_and_keeps_the_names_of_its_weights(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[nn.Module] = []
    compile_module = nn.Module.compile

    def eagerly(self: nn.Module) -> None:  # what is compiled is torch's affair, and takes long
        compiled.append(self)
        compile_module(self, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", eagerly)
    _, plain = fit()
    assert not compiled
    _, found = fit(compile=True)

    assert len(compiled) == 1
    assert found.encoder_state().keys() == plain.encoder_state().keys()
    torch.testing.assert_close(weights(found), weights(plain), atol=1e-5, rtol=1e-4)


@pytest.fixture
def flags_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.mark.usefixtures("flags_as_before")
@pytest.mark.parametrize(
    ("precision", "allowed"),
    [(Precision.FP32, False), (Precision.TF32, True), (Precision.BF16, False)],
)
def test_strict_training_rounds_to_tf32_only_if_asked(precision: Precision, allowed: bool) -> None:
    configure(Determinism.STRICT, threads=1, precision=precision)

    assert torch.backends.cuda.matmul.allow_tf32 is allowed
    assert torch.backends.cudnn.allow_tf32 is allowed


def test_on_a_cpu_tf32_is_fp32(fit: Fit) -> None:
    _, plain = fit()
    _, rounded = fit(precision=Precision.TF32)
    assert torch.equal(weights(rounded), weights(plain))


READS = ("item", "tolist", "__bool__", "__float__", "__int__", "nonzero", "cpu", "numpy")


@pytest.mark.parametrize("loss", [Pointwise, TwoViews])
@pytest.mark.parametrize("rule", ["none", "crop_flip", "crop_flip_jitter", "resized_crop"])
def test_the_number_of_steps_does_not_change_how_often_results_are_read(
    loss: type[HashLoss], rule: str, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loss is TwoViews and rule == "none":
        rule = "flip"
    monkeypatch.setattr(Pointwise, "forward", _unread)
    counts = []
    for batch_size in (7, 2):  # one step an epoch, or three
        with monkeypatch.context() as patch:
            read: list[str] = []
            for name in READS:
                patch.setattr(Tensor, name, _counting(name, read))
            fit(loss=loss, batch_size=batch_size, augmentation=rule, epochs=1, optimiser="sgd")
        counts.append(read)

    assert counts[0] == counts[1]
    assert counts[0]  # the epoch's means are read


def _unread(self: HashLoss, batch: HashBatch) -> LossTerms:
    return LossTerms({"far": (batch.outputs - 1).square().mean()})


def _counting(name: str, read: list[str]) -> Callable[..., Any]:
    original = getattr(Tensor, name)

    def counted(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.requires_grad or self.grad_fn is not None or self.is_floating_point():
            read.append(name)
        return original(self, *args, **kwargs)

    return counted
