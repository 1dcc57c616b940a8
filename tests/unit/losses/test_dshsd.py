"""DSHSD against its formula in both forms of the classification, and its classifier."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.dshsd import DSHSD

Array = NDArray[np.float64]


def classification(h: Array, y: Array, *, weight: Array, multilabel: bool) -> float:
    losses = []
    for h_i, y_i in zip(h, y, strict=True):
        o = weight @ h_i
        if multilabel:
            p = [1 / (1 + exp(-o_c)) for o_c in o]
            both = zip(p, y_i, strict=True)
            losses.append(-sum(log(p_c) if y_c else log(1 - p_c) for p_c, y_c in both))
        else:
            losses.append(-log(exp(o[np.argmax(y_i)]) / sum(exp(o_c) for o_c in o)))
    return float(np.mean(losses))


def pair_term(h: Array, y: Array, *, margin: float, balanced: bool) -> float:
    similar, dissimilar = [], []
    for h_i, y_i in zip(h, y, strict=True):
        for h_j, y_j in zip(h, y, strict=True):
            d = sum((h_i - h_j) ** 2)
            if y_i @ y_j > 0:
                similar.append(0.5 * d)
            else:
                dissimilar.append(0.5 * max(margin - d, 0))
    if balanced:
        return float(np.mean(similar) + np.mean(dissimilar))
    return float(np.mean(similar + dissimilar))


def dshsd(
    u: Array,
    y: Array,
    *,
    weight: Array,
    a: float = 0.05,
    margin: float = 12.0,
    balanced: bool = False,
) -> float:
    h = np.tanh(u)
    multilabel = bool((y.sum(1) != 1).any())
    pairs = pair_term(h, y, margin=margin, balanced=balanced)
    return classification(h, y, weight=weight, multilabel=multilabel) + a * pairs


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"pair": 1.5}, {"a": 1.5}),
        ({"pair": 1.5, "margin_per_bit": 0.9}, {"a": 1.5, "margin": 5.4}),
        ({"pair": 1.5, "pair_weight": "balanced"}, {"a": 1.5, "balanced": True}),
        (DSHSD.Params.presets["deephash"], {}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSHSD],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DSHSD, labels, bits=6, **params)
    options = {**options, "weight": loss.classifier.weight.detach().double().numpy()}
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(dshsd(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: dshsd(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_the_classifier_gets_the_gradient_of_the_classification(
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSHSD],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DSHSD, labels, bits=6)
    weight = loss.classifier.weight.detach().double().numpy().copy()
    run(loss, outputs, labels)
    expected = differences(lambda w: dshsd(outputs, labels, weight=w), weight)
    np.testing.assert_allclose(loss.classifier.weight.grad, expected, atol=1e-7)


def test_the_classifier_has_no_bias(set_up: Callable[..., DSHSD]) -> None:
    loss = set_up(DSHSD, np.eye(3), bits=4)
    assert isinstance(loss.classifier, torch.nn.Linear)
    assert loss.classifier.bias is None


def test_multilabel_classification_sums_over_classes_and_averages_over_images(
    set_up: Callable[..., DSHSD], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    result = run(set_up(DSHSD, labels, bits=4), np.zeros((2, 4)), labels)
    assert result.terms["classification"] == pytest.approx(5 * log(2))


def test_data_decide_the_form_even_where_a_batch_holds_one_label_an_image(
    outputs: Array,
    single_labels: Array,
    set_up: Callable[..., DSHSD],
    run: Callable[..., Any],
) -> None:
    """The last training image has two labels, and is not in the batch."""
    training = np.vstack([single_labels, [[1.0, 1.0, 0.0]]])
    loss = set_up(DSHSD, training, bits=6)
    weight = loss.classifier.weight.detach().double().numpy()
    value = run(loss, outputs, single_labels).terms["classification"]
    assert value == pytest.approx(
        classification(np.tanh(outputs), single_labels, weight=weight, multilabel=True)
    )


def test_a_hopeless_logit_costs_its_size_in_both_forms(
    set_up: Callable[..., DSHSD], run: Callable[..., Any]
) -> None:
    for labels, expected in (
        (np.array([[1.0, 0.0]]), 2e4),  # softmax: the wrong class is 2e4 ahead
        (np.array([[1.0, 0.0], [1.0, 1.0]]), 1.5e4),  # BCE: 2e4 for the first, 1e4 for the second
    ):
        loss = set_up(DSHSD, labels, bits=1)
        with torch.no_grad():
            loss.classifier.weight.copy_(torch.tensor([[-1e4], [1e4]]))
        outputs = np.full((len(labels), 1), 50.0)  # tanh is 1
        assert run(loss, outputs, labels).terms["classification"] == pytest.approx(expected)


def test_saturated_codes_are_pushed_until_half_of_their_bits_differ(
    set_up: Callable[..., DSHSD], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(DSHSD, labels, bits=4)
    codes = np.full((2, 4), 50.0)
    codes[1, :2] = -50  # two of four bits: squared distance 8 = 2 * 4 bits
    assert run(loss, codes, labels).terms["pair"] == 0
    codes[1, 0] = 50  # one bit: distance 4, hinge 4, halved, in 2 of 4 pairs
    assert run(loss, codes, labels).terms["pair"] == pytest.approx(1)
