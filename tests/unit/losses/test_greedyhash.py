"""GreedyHash against its formula; the gradient through the sign is worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.greedyhash import GreedyHash

Array = NDArray[np.float64]


def sign(u: Array) -> Array:
    return np.where(u >= 0, 1.0, -1.0)


def cross_entropy(b: Array, y: Array, *, weight: Array) -> float:
    losses = []
    for b_i, y_i in zip(b, y, strict=True):
        if y_i.sum() > 0:
            o = weight @ b_i
            losses.append(-sum(y_i / y_i.sum() * (o - np.log(np.exp(o).sum()))))
    return float(np.mean(losses))


def gradient_by_hand(
    u: Array, y: Array, *, weight: Array, a: float, p: int, differences: Callable[..., Array]
) -> Array:
    """Add a p ||u| - 1|^(p-1) sgn(|u| - 1) sgn(u) / (nK) to dL/db, labelled images only."""
    through_sign = differences(lambda b: cross_entropy(b, y, weight=weight), sign(u))
    counted = y.sum(1, keepdims=True) > 0
    pull = p * np.abs(np.abs(u) - 1) ** (p - 1) * np.sign(np.abs(u) - 1) * sign(u)
    return through_sign + a * pull * counted / (counted.sum() * u.shape[1])


@pytest.mark.parametrize(("a", "p"), [(0.1, 3), (1.0, 3), (0.5, 2)])
@pytest.mark.parametrize("multilabel", ["softmax", "argmax"])
def test_value_and_gradient_follow_the_formula(
    *,
    a: float,
    p: int,
    multilabel: str,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., GreedyHash],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(GreedyHash, labels, bits=6, quantisation=a, power=p, multilabel=multilabel)
    weight = loss.classifier.weight.detach().double().numpy()
    target = labels.copy()
    if multilabel == "argmax":
        for row in target:
            row[np.argmax(row) + 1 :] = 0
    counted = labels.sum(1) > 0
    penalty = np.mean(np.abs(np.abs(outputs[counted]) - 1) ** p)

    result = run(loss, outputs, labels)

    expected = cross_entropy(sign(outputs), target, weight=weight) + a * penalty
    assert result.total == pytest.approx(expected, rel=1e-10)
    gradient = gradient_by_hand(outputs, target, weight=weight, a=a, p=p, differences=differences)
    np.testing.assert_allclose(result.gradient, gradient, atol=1e-8)


def test_the_classifier_gets_the_gradient_of_the_cross_entropy_of_the_signs(
    outputs: Array,
    labels: Array,
    set_up: Callable[..., GreedyHash],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(GreedyHash, labels, bits=6)
    weight = loss.classifier.weight.detach().double().numpy().copy()
    run(loss, outputs, labels)
    expected = differences(lambda w: cross_entropy(sign(outputs), labels, weight=w), weight)
    np.testing.assert_allclose(loss.classifier.weight.grad, expected, atol=1e-8)


def test_an_output_of_zero_is_classified_as_plus_one(
    set_up: Callable[..., GreedyHash], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(GreedyHash, labels, bits=4, quantisation=0.0)
    zeros, ones = (run(loss, np.full((2, 4), value), labels).total for value in (0.0, 1.0))
    assert zeros == ones


def test_the_classifier_has_no_bias(set_up: Callable[..., GreedyHash]) -> None:
    loss = set_up(GreedyHash, np.eye(3), bits=4)
    assert isinstance(loss.classifier, torch.nn.Linear)
    assert loss.classifier.bias is None
