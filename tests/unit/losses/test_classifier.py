"""The classifier a loss owns, and its cross entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.classifier import (
    first_label,
    label_cross_entropy,
    linear_classifier,
)
from hashbench.methods.interface import LossContext

Array = NDArray[np.float64]


def context(seed: int, *, bits: int = 16, classes: int = 5) -> LossContext:
    return LossContext(
        labels=torch.zeros(2, classes),
        bits=bits,
        multilabel=False,
        epochs=1,
        batch_size=2,
        generator=torch.Generator().manual_seed(seed),
        device=torch.device("cpu"),
    )


def cross_entropy(logits: Array, labels: Array) -> float:
    losses = []
    for o, y in zip(logits, labels, strict=True):
        if y.sum() > 0:
            shares = np.exp(o) / np.exp(o).sum()
            losses.append(-sum(y / y.sum() * np.log(shares)))
    return float(np.mean(losses))


def test_cross_entropy_shares_the_target_among_the_labels_of_an_image(
    labels: Array, differences: Callable[..., Array]
) -> None:
    logits = np.random.default_rng(1).normal(size=labels.shape) * 3
    o = torch.tensor(logits, requires_grad=True)
    result = label_cross_entropy(o, torch.tensor(labels))
    result.backward()
    assert result.item() == pytest.approx(cross_entropy(logits, labels), rel=1e-12)
    expected = differences(lambda x: cross_entropy(x, labels), logits)
    np.testing.assert_allclose(o.grad, expected, atol=1e-8)


def test_cross_entropy_without_a_labelled_image_is_zero() -> None:
    assert float(label_cross_entropy(torch.randn(3, 4), torch.zeros(3, 4))) == 0


def test_cross_entropy_is_finite_for_extreme_logits() -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]])
    assert float(label_cross_entropy(logits, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))) == 1e4


def test_first_label_keeps_one_label_and_leaves_an_unlabelled_image_so() -> None:
    labels = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert first_label(labels).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_classifier_follows_the_losss_own_generator_and_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (linear_classifier(context(seed), bias=True) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)


def test_classifier_starts_uniform_within_one_over_the_root_of_bits() -> None:
    layer = linear_classifier(context(0, bits=64, classes=200), bias=True)
    assert layer.weight.shape == (200, 64)
    for values in (layer.weight.detach(), layer.bias.detach()):
        assert float(values.abs().max()) <= 1 / 8
        assert float(values.std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert linear_classifier(context(0), bias=False).bias is None
