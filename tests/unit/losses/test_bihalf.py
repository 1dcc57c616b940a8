"""BiHalf against its formula, written as loops over pairs; its codes are plain signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.conformance.tiny import TinyImages, single_labels
from hashbench.core.cell import Cell, Component, DataChoice, Head, Schedule, TrainSettings
from hashbench.core.codes import Role
from hashbench.methods.backbones.mlp import MLP
from hashbench.methods.interface import HashBatch, TrainContext, TrainView
from hashbench.methods.losses.bihalf import BiHalf
from hashbench.training.deep import DeepHashMethod

Array = NDArray[np.float64]


@pytest.fixture
def features() -> Array:
    """Positive, as after a ReLU, with some zeros."""
    return np.maximum(np.random.default_rng(11).normal(loc=1, size=(8, 5)), 0)


@pytest.fixture
def no_labels() -> Array:
    return np.zeros((8, 3))


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def balanced(u: Array) -> Array:
    b = np.full(u.shape, -1.0)
    for k in range(u.shape[1]):
        b[sorted(range(len(u)), key=lambda i: -u[i, k])[: len(u) // 2], k] = 1
    return b


def gap(b: Array, f: Array) -> float:
    half = len(b) // 2
    pairs = [(i, i + half) for i in range(half)]
    return float(np.mean([(cosine(b[i], b[j]) - cosine(f[i], f[j])) ** 2 for i, j in pairs]))


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 6.0])
def test_value_and_gradient_follow_the_formula(
    *,
    centre: bool,
    gamma: float,
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., BiHalf],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features, centre=centre, gamma=gamma)
    f = features - features.mean(0) if centre else features
    result, b = run(loss, outputs, no_labels), balanced(outputs)
    assert result.total == pytest.approx(gap(b, f), rel=1e-6)
    expected = differences(lambda codes: gap(codes, f), b) + gamma * (outputs - b) / outputs.size
    np.testing.assert_allclose(result.gradient, expected, atol=1e-6)


def test_the_last_row_of_an_odd_batch_is_left_out(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., BiHalf],
    run: Callable[..., Any],
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features)
    odd, even = (run(loss, outputs[:n], no_labels[:n]) for n in (7, 6))
    assert odd.total == even.total
    np.testing.assert_array_equal(odd.gradient[:6], even.gradient)
    assert not odd.gradient[6].any()


def test_a_batch_of_one_has_neither_loss_nor_gradient(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., BiHalf],
    run: Callable[..., Any],
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features)
    alone = run(loss, outputs[:1], no_labels[:1])
    assert alone.total == 0
    assert not alone.gradient.any()


def test_features_are_found_by_the_position_of_the_image(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., BiHalf],
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features)
    positions = [5, 0, 7, 2]
    u = torch.tensor(outputs[:4], dtype=torch.float32)
    found = loss(HashBatch(u, u, torch.zeros(4, 3), torch.tensor(positions), 0.0)).total
    f = features - features.mean(0)
    assert float(found) == pytest.approx(gap(balanced(outputs[:4]), f[positions]), rel=1e-5)


def dropped_totals(loss: BiHalf, outputs: Array, *, steps: int) -> list[float]:
    u = torch.tensor(outputs, dtype=torch.float32)
    batch = HashBatch(u, u, torch.zeros(8, 3), torch.arange(8), 0.0)
    return [float(loss(batch).total) for _ in range(steps)]


def test_dropout_makes_the_targets_noisy_by_the_loss_s_own_generator(
    outputs: Array, features: Array, no_labels: Array, set_up: Callable[..., BiHalf]
) -> None:
    def make(seed: int) -> BiHalf:
        return set_up(BiHalf, no_labels, bits=6, features=features, seed=seed, dropout_features=0.5)

    torch.manual_seed(1)
    first = dropped_totals(make(0), outputs, steps=5)
    before = torch.get_rng_state()
    same = dropped_totals(make(0), outputs, steps=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert first == same
    assert len(set(first)) == 5
    assert dropped_totals(make(1), outputs, steps=5) != first


def test_dropout_compares_with_cosines_of_features_of_which_a_share_is_zero(
    outputs: Array, features: Array, no_labels: Array, set_up: Callable[..., BiHalf]
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features, seed=3, dropout_features=0.4)
    kept = torch.rand((8, 5), generator=torch.Generator().manual_seed(3)).numpy() >= 0.4
    f = (features - features.mean(0)) * kept
    assert np.linalg.norm(f, axis=1).min() > 0
    assert dropped_totals(loss, outputs, steps=1)[0] == pytest.approx(
        gap(balanced(outputs), f), rel=1e-5
    )


def test_without_dropout_nothing_is_drawn(
    outputs: Array, features: Array, no_labels: Array, set_up: Callable[..., BiHalf]
) -> None:
    loss = set_up(BiHalf, no_labels, bits=6, features=features)
    assert len(set(dropped_totals(loss, outputs, steps=3))) == 1


def test_the_published_setting_has_dropout_and_no_centring() -> None:
    assert BiHalf.Params.presets["paper"] == {
        "gamma": 6.0,
        "dropout_features": 0.5,
        "centre": False,
    }
    assert BiHalf.Params().dropout_features == 0


@pytest.fixture
def trained() -> DeepHashMethod:
    """A perceptron trained with the loss on 48 tiny images for some epochs."""
    settings = TrainSettings(
        recipe="test",
        modified=(),
        optimiser="adam",
        lr=1e-2,
        backbone_lr=1e-2,
        weight_decay=0.0,
        momentum=0.0,
        nesterov=False,
        schedule=Schedule("constant", 1.0),
        epochs=10,
        batch_size=16,
        augmentation="none",
        prepass="pixels",
    )
    cell = Cell(
        DataChoice("toy", 1, "toy@1", "0" * 64, image_size=8),
        bits=8,
        seed=0,
        backbone=Component("mlp", 1, {"width": 32}),
        head=Head(),
        loss=Component("bihalf", 1),
        train=settings,
    )
    method, labels = DeepHashMethod(MLP, BiHalf, cell=cell), single_labels(48)
    images = TinyImages(labels, size=8, device=torch.device("cpu"))
    method.fit(TrainView(images, labels, multilabel=False), TrainContext(cell, torch.device("cpu")))
    return method


def test_codes_are_plain_signs_whatever_is_encoded_beside_an_image(
    trained: DeepHashMethod,
) -> None:
    images = TinyImages(single_labels(48), size=8, device=torch.device("cpu"))
    signs = trained.encode(images, Role.DATABASE).signs()
    alone = [trained.encode(images.part(slice(i, i + 1)), Role.QUERY).signs()[0] for i in range(48)]
    # The bi-half layer would give an image by itself -1 in all bits.
    np.testing.assert_array_equal(signs, alone)
    assert (signs == 1).any(axis=1).mean() > 0.5
    # All images of one class share most bits; the layer would split each bit between them.
    of_a_class = trained.encode(images.part(slice(0, 48, 4)), Role.DATABASE).signs()
    assert (np.abs(of_a_class.sum(axis=0)) == 12).any()
