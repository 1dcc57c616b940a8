"""CE against the cross entropy written out for every image and class."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.ce import CE

Array = NDArray[np.float64]


def ce(u: Array, y: Array, *, weight: Array, bias: Array) -> float:
    losses = []
    for u_i, y_i in zip(u, y, strict=True):
        if y_i.sum() > 0:
            o = [float(w @ u_i + b) for w, b in zip(weight, bias, strict=True)]
            bottom = sum(exp(value) for value in o)
            q = y_i / y_i.sum()
            losses.append(-sum(q[c] * log(exp(o[c]) / bottom) for c in range(len(o))))
    return sum(losses) / len(losses)


def classifier_of(loss: CE) -> dict[str, Array]:
    return {
        "weight": loss.classifier.weight.detach().double().numpy().copy(),
        "bias": loss.classifier.bias.detach().double().numpy().copy(),
    }


def test_value_and_gradient_follow_the_formula(
    outputs: Array,
    labels: Array,
    set_up: Callable[..., CE],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(CE, labels, bits=6)
    known = classifier_of(loss)
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(ce(outputs, labels, **known), rel=1e-10)
    expected = differences(lambda u: ce(u, labels, **known), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-8)


def test_the_classifier_learns_along_the_gradient_of_the_formula(
    outputs: Array,
    labels: Array,
    set_up: Callable[..., CE],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(CE, labels, bits=6)
    known = classifier_of(loss)
    run(loss, outputs, labels)
    for name, parameter in loss.classifier.named_parameters():
        expected = differences(
            lambda value, at=name: ce(outputs, labels, **{**known, at: value}), known[name]
        )
        np.testing.assert_allclose(parameter.grad, expected, atol=1e-8)


def test_the_raw_outputs_are_classified_and_not_their_signs_or_tanh(
    set_up: Callable[..., CE], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(CE, labels, bits=1)
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        loss.classifier.bias.copy_(torch.tensor([0.5, 0.0]))
    # Logits (3.5, -3) and (-2.5, 3): the first class wins by 6.5, the second by 5.5.
    expected = (log(1 + exp(-6.5)) + log(1 + exp(-5.5))) / 2
    assert run(loss, np.array([[3.0], [-3.0]]), labels).total == pytest.approx(expected, rel=1e-9)


def test_two_labels_of_an_image_share_the_softmax(
    set_up: Callable[..., CE], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0, 1.0, 0.0, 0.0]])
    loss = set_up(CE, labels, bits=4)
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.eye(4))
        loss.classifier.bias.zero_()
    sure = run(loss, np.array([[50.0, 50.0, 0.0, 0.0]]), labels)
    assert sure.total == pytest.approx(log(2))  # half of the probability each: the least possible
    np.testing.assert_allclose(sure.gradient, 0, atol=1e-12)


def test_the_card_says_that_it_is_a_reference() -> None:
    assert "reference" in CE.info.title
    assert "not a published hashing method" in CE.info.title
