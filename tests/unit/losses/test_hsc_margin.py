"""HSC-margin against its three terms, written as loops over pairs and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.methods.losses.hsc_margin import HSCMargin

Array = NDArray[np.float64]


def pair_term(h: Array, y: Array, *, margin: float, balanced: bool) -> float:
    similar, dissimilar = [], []
    for h_i, y_i in zip(h, y, strict=True):
        for h_j, y_j in zip(h, y, strict=True):
            d = sum((h_i - h_j) ** 2)
            if y_i @ y_j > 0:
                similar.append(0.5 * d / margin)
            else:
                dissimilar.append(0.5 * max(margin - d, 0) / margin)
    if balanced:
        return float(np.mean(similar) + np.mean(dissimilar))
    return float(np.mean(similar + dissimilar))


def classify(h: Array, y: Array, *, weight: Array, bias: Array) -> float:
    losses = []
    for h_i, y_i in zip(h, y, strict=True):
        if y_i.sum() > 0:
            o = weight @ h_i + bias
            losses.append(-sum(y_i / y_i.sum() * (o - np.log(np.exp(o).sum()))))
    return float(np.mean(losses))


def hsc_margin(
    u: Array,
    y: Array,
    *,
    weight: Array,
    bias: Array,
    margin: float = 12.0,
    balanced: bool = False,
    lambdas: tuple[float, float, float] = (1.0, 0.5, 0.1),
) -> float:
    h = np.tanh(u)
    parts = (
        pair_term(h, y, margin=margin, balanced=balanced),
        classify(h, y, weight=weight, bias=bias),
        float(np.mean((np.abs(h) - 1) ** 2)),
    )
    return sum(scale * part for scale, part in zip(lambdas, parts, strict=True))


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"margin_per_bit": 0.9}, {"margin": 5.4}),
        ({"classification": 2.0, "quantisation": 0.7}, {"lambdas": (1.0, 2.0, 0.7)}),
        ({"pair_weight": "balanced"}, {"balanced": True}),
        (HSCMargin.Params.presets["pair_only"], {"lambdas": (1.0, 0.0, 0.0)}),
        (HSCMargin.Params.presets["no_quantisation"], {"lambdas": (1.0, 0.5, 0.0)}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HSCMargin],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(HSCMargin, labels, bits=6, **params)
    options = {
        **options,
        "weight": loss.classifier.weight.detach().double().numpy(),
        "bias": loss.classifier.bias.detach().double().numpy(),
    }
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(hsc_margin(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: hsc_margin(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_saturated_codes_are_pushed_until_half_of_their_bits_differ(
    set_up: Callable[..., HSCMargin], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(HSCMargin, labels, bits=4)
    codes = np.full((2, 4), 50.0)
    codes[1, :2] = -50  # two of four bits: squared distance 8 = 2 * 4 bits
    assert run(loss, codes, labels).terms["pair"] == 0
    codes[1, 0] = 50  # one bit: distance 4, hinge 4, over twice the margin in 2 of 4 pairs
    assert run(loss, codes, labels).terms["pair"] == pytest.approx(4 / 16 / 2)


def test_the_pair_term_has_the_same_size_at_any_code_length(
    set_up: Callable[..., HSCMargin], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    values = [
        run(set_up(HSCMargin, labels, bits=bits), np.zeros((2, bits)), labels).terms["pair"]
        for bits in (8, 64)
    ]
    # Equal codes of different classes: a hinge of the whole margin, halved, in 2 of 4 pairs.
    assert values == [0.25, 0.25]
