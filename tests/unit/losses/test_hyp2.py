"""HyP2 against its three terms, written as loops over images, classes and pairs."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError
from hashbench.methods.losses.hyp2 import HyP2

Array = NDArray[np.float64]
# 6 bits and 3 or 4 classes: dimension 2, and d = 4 needs 4 + 2 = 6 bits.
ZETA = 1 - 2 * 4 / 6


def cosine(a: Array, b: Array) -> float:
    return float(a @ b) / sqrt(float(a @ a) * float(b @ b))


def hyp2(u: Array, y: Array, *, proxies: Array, zeta: float = ZETA, beta: float = 0.5) -> float:
    positive, negative, pairs = [], [], []
    for i in range(len(u)):
        for c in range(len(proxies)):
            if y[i, c] == 1:
                positive.append(1 - cosine(u[i], proxies[c]))
            else:
                negative.append(max(cosine(u[i], proxies[c]) - zeta, 0))
        for j in range(len(u)):
            if y[i].sum() >= 2 and y[j].sum() >= 2 and not any(y[i] * y[j]):
                pairs.append(max(cosine(u[i], u[j]) - zeta, 0))
    means = [np.mean(values) if values else 0.0 for values in (positive, negative, pairs)]
    return float(means[0] + means[1] + beta * means[2])


@pytest.fixture
def several_labels() -> Array:
    """Pairs with two labels each: some share one, some do not; others have one label or none."""
    sets = [[0, 1], [2, 3], [1, 2], [0, 3], [0], [2], [], [0, 1, 2]]
    labels = np.zeros((8, 4))
    for row, present in enumerate(sets):
        labels[row, present] = 1
    return labels


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"pair": 3.0}, {"beta": 3.0}),
        ({"threshold": -0.7, "pair": 2.0}, {"zeta": -0.7, "beta": 2.0}),
        ({"threshold": 0.25}, {"zeta": 0.25}),
        (HyP2.Params.presets["paper"], {}),
    ],
)
@pytest.mark.parametrize("kind", ["single_labels", "multi_labels", "several_labels"])
def test_value_and_gradients_follow_the_formula(
    *,
    kind: str,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    request: pytest.FixtureRequest,
    set_up: Callable[..., HyP2],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    labels = request.getfixturevalue(kind)
    loss = set_up(HyP2, labels, bits=6, **params)
    proxies = loss.proxies.detach().double().numpy().copy()

    result = run(loss, outputs, labels)

    expected = hyp2(outputs, labels, proxies=proxies, **options)
    assert result.total == pytest.approx(expected, rel=1e-10)
    by_output = differences(lambda u: hyp2(u, labels, proxies=proxies, **options), outputs)
    np.testing.assert_allclose(result.gradient, by_output, atol=1e-7)
    by_proxy = differences(lambda p: hyp2(outputs, labels, proxies=p, **options), proxies)
    np.testing.assert_allclose(loss.proxies.grad, by_proxy, atol=1e-7)


def test_only_unlike_images_with_several_labels_each_repel(
    set_up: Callable[..., HyP2], run: Callable[..., Any]
) -> None:
    """Equal codes of zeta 0: every pair that counts costs 1."""
    cases = {
        ((0, 1), (2, 3)): 1,
        ((0, 1), (1, 2)): 0,  # a label in common
        ((0, 1), (2,)): 0,  # one image has only one label
        ((0,), (2,)): 0,
        ((0, 1), ()): 0,
    }
    for sets, expected in cases.items():
        labels = np.zeros((2, 4))
        for row, present in enumerate(sets):
            labels[row, list(present)] = 1
        loss = set_up(HyP2, labels, bits=6, threshold=0.0)
        assert run(loss, np.ones((2, 6)), labels).terms["pair"] == pytest.approx(expected)


def test_images_at_their_proxies_and_far_from_all_others_cost_nothing(
    set_up: Callable[..., HyP2], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(HyP2, labels, bits=4)
    with torch.no_grad():
        loss.proxies.copy_(torch.tensor([[3.0, 3, -3, 3], [-0.1, -0.1, 0.1, -0.1]]))
    outputs = loss.proxies.detach().double().numpy().copy()
    assert run(loss, outputs, labels).total == pytest.approx(0, abs=1e-12)
    assert run(loss, -outputs, labels).total == pytest.approx(2 + 2)  # zeta is -1


def test_a_mean_over_nothing_is_left_out(
    outputs: Array, set_up: Callable[..., HyP2], run: Callable[..., Any]
) -> None:
    everything, nothing = np.ones((8, 3)), np.zeros((8, 3))
    terms = run(set_up(HyP2, everything, bits=6), outputs, everything).terms
    assert terms["positive"] > 0
    assert terms["negative"] == terms["pair"] == 0
    terms = run(set_up(HyP2, nothing, bits=6), outputs, nothing).terms
    assert terms["negative"] > 0
    assert terms["positive"] == terms["pair"] == 0


def test_proxies_start_normal_with_the_variance_two_over_classes(
    set_up: Callable[..., HyP2],
) -> None:
    loss = set_up(HyP2, np.eye(200), bits=128)
    drawn = loss.proxies.detach().numpy()
    assert drawn.shape == (200, 128)
    assert drawn.std() == pytest.approx(0.1, rel=0.03)
    assert abs(drawn.mean()) < 0.003
    within = np.mean(np.abs(drawn) < 0.1)
    assert within == pytest.approx(0.683, abs=0.01)  # of a normal distribution


@pytest.mark.parametrize(
    ("bits", "classes", "said"),
    [
        (64, 10, "-0.0312 (authors' table)"),
        (32, 10, "0.0000 (authors' table)"),
        (16, 8, "0.0000 (bound, not the authors' table)"),
    ],
)
def test_the_loss_says_where_its_threshold_is_from(
    bits: int, classes: int, said: str, set_up: Callable[..., HyP2]
) -> None:
    assert said in repr(set_up(HyP2, np.eye(classes), bits=bits))


def test_a_threshold_given_by_hand_is_said_to_be_so(set_up: Callable[..., HyP2]) -> None:
    assert "0.2000 (given)" in repr(set_up(HyP2, np.eye(4), bits=16, threshold=0.2))


def test_too_short_a_code_is_refused(set_up: Callable[..., HyP2]) -> None:
    with pytest.raises(ConfigError, match="use 4 bits or more"):
        set_up(HyP2, np.eye(10), bits=3)
