"""HSC against its three terms, written as loops over anchors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.hsc import HSC

Array = NDArray[np.float64]


def contrast(h: Array, y: Array, *, tau: float) -> float:
    z = [row / np.linalg.norm(row) for row in h]
    anchors = []
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        weights = {}
        for j in others:
            sizes = np.linalg.norm(y[i]) * np.linalg.norm(y[j])
            weights[j] = y[i] @ y[j] / sizes if sizes > 0 else 0.0
        if sum(weights.values()) == 0:
            continue
        bottom = sum(np.exp(z[i] @ z[a] / tau) for a in others)
        logs = {j: np.log(np.exp(z[i] @ z[j] / tau) / bottom) for j in others}
        anchors.append(sum(weights[j] * logs[j] for j in others) / sum(weights.values()))
    return -float(np.mean(anchors)) if anchors else 0.0


def classify(h: Array, y: Array, *, weight: Array, bias: Array) -> float:
    losses = []
    for h_i, y_i in zip(h, y, strict=True):
        if y_i.sum() > 0:
            o = weight @ h_i + bias
            losses.append(-sum(y_i / y_i.sum() * (o - np.log(np.exp(o).sum()))))
    return float(np.mean(losses)) if losses else 0.0


def hsc(
    u: Array,
    y: Array,
    *,
    weight: Array,
    bias: Array,
    tau: float = 0.2,
    lambdas: tuple[float, float, float] = (1.0, 0.5, 0.1),
) -> float:
    h = np.tanh(u)
    parts = (
        contrast(h, y, tau=tau),
        classify(h, y, weight=weight, bias=bias),
        float(np.mean((np.abs(h) - 1) ** 2)),
    )
    return sum(scale * part for scale, part in zip(lambdas, parts, strict=True))


def classifier_of(loss: HSC) -> dict[str, Array]:
    layer = loss.classifier
    return {
        "weight": layer.weight.detach().double().numpy(),
        "bias": layer.bias.detach().double().numpy(),
    }


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"temperature": 0.5, "classification": 2.0}, {"tau": 0.5, "lambdas": (1.0, 2.0, 0.1)}),
        (HSC.Params.presets["contrast_only"], {"lambdas": (1.0, 0.0, 0.0)}),
        (HSC.Params.presets["classification_only"], {"lambdas": (0.0, 0.5, 0.0)}),
        (HSC.Params.presets["no_quantisation"], {"lambdas": (1.0, 0.5, 0.0)}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HSC],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(HSC, labels, bits=6, **params)
    options = {**options, **classifier_of(loss)}
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(hsc(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: hsc(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


@pytest.mark.parametrize("labels", [np.eye(8), np.zeros((8, 8))], ids=["all differ", "no label"])
def test_without_a_positive_pair_there_is_no_contrast_but_the_rest_goes_on(
    labels: Array,
    outputs: Array,
    set_up: Callable[..., HSC],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(HSC, labels, bits=6)
    layer = classifier_of(loss)
    result = run(loss, outputs, labels)
    assert result.terms["contrastive"] == 0
    expected = differences(lambda u: hsc(u, labels, **layer), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_a_second_view_joins_the_batch_with_the_labels_repeated(
    outputs: Array, set_up: Callable[..., HSC], run: Callable[..., Any]
) -> None:
    labels = np.eye(8)
    second = np.random.default_rng(9).normal(size=outputs.shape)
    loss = set_up(HSC, labels, bits=6)
    expected = hsc(
        np.concatenate([outputs, second]), np.concatenate([labels, labels]), **classifier_of(loss)
    )
    result = run(loss, outputs, labels, second=torch.tensor(second))
    assert result.total == pytest.approx(expected, rel=1e-10)
    assert result.terms["contrastive"] > 0


def test_contrast_of_binary_codes_depends_on_their_hamming_distances(
    set_up: Callable[..., HSC], run: Callable[..., Any]
) -> None:
    codes = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [-1, -1, 1, 1]]) * 50.0
    labels = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss = set_up(HSC, labels, bits=4)
    distance = {(0, 1): 1, (0, 2): 2, (1, 2): 3}
    near, far, farther = (np.exp((1 - 2 * d / 4) / 0.2) for d in distance.values())
    expected = -np.mean([np.log(near / (near + far)), np.log(near / (near + farther))])
    assert run(loss, codes, labels).terms["contrastive"] == pytest.approx(expected, rel=1e-10)


def test_it_says_that_it_is_a_reconstruction() -> None:
    assert HSC.info.reconstruction
