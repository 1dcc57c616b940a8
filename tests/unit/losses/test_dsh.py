"""DSH against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.methods.losses.dsh import DSH

Array = NDArray[np.float64]


def dsh(u: Array, y: Array, *, a: float = 0.01, margin: float, balanced: bool = False) -> float:
    similar, dissimilar = [], []
    for u_i, y_i in zip(u, y, strict=True):
        for u_j, y_j in zip(u, y, strict=True):
            d = sum((u_i - u_j) ** 2)
            if y_i @ y_j > 0:
                similar.append(0.5 * d)
            else:
                dissimilar.append(0.5 * max(margin - d, 0))
    pair = float(np.mean(similar + dissimilar))
    if balanced:
        pair = float(np.mean(similar) + np.mean(dissimilar))
    penalty = np.mean([sum(abs(abs(row) - 1)) for row in u])
    return pair + 2 * a * float(penalty)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {"margin": 12.0}),
        ({"quantisation": 0.3}, {"margin": 12.0, "a": 0.3}),
        ({"margin_per_bit": 0.9}, {"margin": 5.4}),
        ({"pair_weight": "balanced"}, {"margin": 12.0, "balanced": True}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    result = run(set_up(DSH, labels, bits=6, **params), outputs, labels)
    assert result.total == pytest.approx(dsh(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: dsh(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_the_margin_is_two_a_bit_on_the_squared_distance(
    set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(DSH, labels, bits=4)
    binary = np.ones((2, 4))
    binary[1, :2] = -1  # two of four bits differ: squared distance 8 = 2 * 4 bits
    assert run(loss, binary, labels).total == 0
    binary[1, 0] = 1  # one bit: squared distance 4, hinge 4, half of it in 2 of 4 pairs
    assert run(loss, binary, labels).total == pytest.approx(1)


def test_the_penalty_alone_has_a_gradient_towards_plus_and_minus_one(
    set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 1))
    result = run(set_up(DSH, labels, bits=4), np.array([[0.5, 1.5, -0.5, -1.5]]), labels)
    np.testing.assert_allclose(result.gradient, [[-0.02, 0.02, 0.02, -0.02]])
