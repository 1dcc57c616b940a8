"""DCH against its formula with explicit pair weights, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.losses.dch import DCH

Array = NDArray[np.float64]


def distance(a: Array, b: Array) -> float:
    cosine = float(a @ b) / float(np.sqrt(a @ a) * np.sqrt(b @ b))
    return len(a) / 2 * (1 - min(cosine, 0.99))


def dch(
    u: Array,
    y: Array,
    *,
    gamma: float = 20.0,
    penalty: float = 0.1,
    balanced: bool = True,
    self_pairs: bool = False,
) -> float:
    n = len(u)
    pairs = [(i, j) for i in range(n) for j in range(n) if self_pairs or i != j]
    similar = sum(y[i] @ y[j] > 0 for i, j in pairs)
    size = {True: similar, False: len(pairs) - similar}
    total = 0.0
    for i, j in pairs:
        s, d = bool(y[i] @ y[j] > 0), distance(u[i], u[j])
        w = len(pairs) / size[s] if balanced else 1.0
        total += w * (s * log(d / gamma) + log(1 + gamma / d))
    corner = np.ones(u.shape[1])
    quantisation = sum(log(1 + distance(np.abs(row), corner) / gamma) for row in u) / n
    return total / len(pairs) + penalty * quantisation


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"gamma": 3.0, "quantisation": 0.7}, {"gamma": 3.0, "penalty": 0.7}),
        ({"pair_weight": "none"}, {"balanced": False}),
        ({"self_pairs": True}, {"self_pairs": True}),
        (DCH.Params.presets["deephash"], {"self_pairs": True}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DCH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    result = run(set_up(DCH, labels, bits=6, **params), outputs, labels)
    assert result.total == pytest.approx(dch(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: dch(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_the_distance_of_binary_outputs_is_the_hamming_distance(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    codes = np.ones((2, 8))
    codes[1, :3] = -1  # three of eight bits differ, and the scale of an output plays no part
    loss = set_up(DCH, labels, bits=8, quantisation=0.0)
    expected = pytest.approx(log(1 + 20 / 3))
    assert run(loss, codes, labels).total == expected
    assert run(loss, np.array([[7.0], [0.2]]) * codes, labels).total == expected


def test_a_similar_pair_costs_log_one_plus_d_over_gamma(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    labels = np.ones((2, 1))
    codes = np.array([[1.0, 1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0]])
    loss = set_up(DCH, labels, bits=4, quantisation=0.0)
    assert run(loss, codes, labels).total == pytest.approx(log(1 + 1 / 20))


def test_the_distance_never_falls_below_a_two_hundredth_of_the_bits(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    equal = np.tile([[0.3, -2.0, 1.0, 0.9]], (2, 1))
    result = run(set_up(DCH, np.eye(2), bits=4, quantisation=0.0), equal, np.eye(2))
    assert result.total == pytest.approx(log(1 + 20 / (0.005 * 4)))
    assert not result.gradient.any()


def test_an_image_is_no_pair_with_itself_unless_asked_for(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)  # the only similar pairs are those of an image with itself
    codes = np.array([[1.0, 1.0], [1.0, -1.0]])  # one bit apart
    apart = log(1 + 20)
    without = run(set_up(DCH, labels, bits=2, quantisation=0.0), codes, labels)
    kept = run(set_up(DCH, labels, bits=2, quantisation=0.0, self_pairs=True), codes, labels)
    assert without.total == pytest.approx(apart)
    assert kept.total == pytest.approx(apart + log(1 + 0.005 * 2 / 20))


def test_the_penalty_looks_at_the_size_of_outputs_and_not_at_their_sign(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 1))
    uneven, even = np.array([[3.0, -0.1, 1.0]]), np.array([[-2.0, 2.0, 2.0]])
    costs = [run(set_up(DCH, labels, bits=3), u, labels).terms for u in (uneven, -uneven, even)]
    assert costs[0]["quantisation"] == costs[1]["quantisation"]
    assert costs[2]["quantisation"] == pytest.approx(log(1 + 0.005 * 3 / 20))
    assert costs[0]["quantisation"] > costs[2]["quantisation"]
    assert all(cost["cauchy"] == 0 for cost in costs)  # one image alone has no pair


def test_a_row_of_zeros_is_half_the_bits_from_everything_and_gets_no_gradient(
    set_up: Callable[..., DCH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    u = np.array([[0.0, 0.0], [1.0, 2.0]])
    result = run(set_up(DCH, labels, bits=2, quantisation=0.0), u, labels)
    assert result.total == pytest.approx(log(1 + 20 / 1))
    assert not result.gradient[0].any()


def test_the_deephash_preset_differs_from_the_defaults_in_the_self_pairs_alone() -> None:
    published = resolve_params(DCH.Params, preset="deephash", params={})
    ours = resolve_params(DCH.Params, preset=None, params={})
    assert published == {**ours, "self_pairs": True}
