"""DBDH against its formula, written as loops over pairs of clipped outputs."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.methods.losses.dbdh import DBDH

Array = NDArray[np.float64]


def clip(u: Array) -> Array:
    return np.array([[min(max(value, -1.0), 1.0) for value in row] for row in u])


def dbdh(
    u: Array,
    y: Array,
    *,
    others: tuple[Array, Array] | None = None,
    a: float = 0.1,
    balanced: bool = False,
) -> float:
    v = clip(u)
    similar, dissimilar = [], []
    for v_i, y_i in zip(v, y, strict=True):
        for v_j, y_j in zip(*(others or (v, y)), strict=True):
            theta = float(v_i @ v_j) / 2
            if y_i @ y_j > 0:
                similar.append(log(1 + exp(theta)) - theta)
            else:
                dissimilar.append(log(1 + exp(theta)))
    likelihood = float(np.mean(similar + dissimilar))
    if balanced:
        likelihood = float(np.mean(similar) + np.mean(dissimilar))
    return likelihood + a * float(np.mean([(sum(row) / len(row)) ** 2 for row in v]))


@pytest.mark.parametrize("pairs", ["buffer", "batch"])
@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"balance": 0.7}, {"a": 0.7}),
        ({"pair_weight": "balanced"}, {"balanced": True}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DBDH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    others = (clip(outputs), labels) if pairs == "buffer" else None  # constants in a buffer
    result = run(set_up(DBDH, labels, bits=6, pairs=pairs, **params), outputs, labels)
    expected = dbdh(outputs, labels, others=others, **options)
    assert result.total == pytest.approx(expected, rel=1e-10)
    slopes = differences(lambda u: dbdh(u, labels, others=others, **options), outputs)
    np.testing.assert_allclose(result.gradient, slopes, atol=1e-7)


def test_beyond_plus_and_minus_one_there_is_no_gradient(
    outputs: Array, labels: Array, set_up: Callable[..., DBDH], run: Callable[..., Any]
) -> None:
    gradient = run(set_up(DBDH, labels, bits=6), outputs, labels).gradient
    beyond = np.abs(outputs) > 1
    assert 0 < beyond.sum() < beyond.size
    assert not gradient[beyond].any()
    assert (gradient[~beyond] != 0).all()


def test_by_default_a_batch_is_compared_with_the_clipped_outputs_of_the_images_seen(
    outputs: Array, labels: Array, set_up: Callable[..., DBDH], run: Callable[..., Any]
) -> None:
    loss, second = set_up(DBDH, labels, bits=6), [7, 5]
    first = run(loss, outputs[:3], labels[:3])
    assert first.total == pytest.approx(dbdh(outputs[:3], labels[:3]), rel=1e-10)
    seen = [0, 1, 2, 5, 7]
    others = clip(outputs)[seen], labels[seen]
    result = run(loss, outputs[second], labels[second], positions=second)
    expected = dbdh(outputs[second], labels[second], others=others)
    assert result.total == pytest.approx(expected, rel=1e-10)


def test_the_balance_is_of_the_bits_within_a_code_after_clipping(
    set_up: Callable[..., DBDH], run: Callable[..., Any]
) -> None:
    labels = np.ones((2, 1))
    # Balanced as it is clipped, though not before; and three of four bits alike: mean 1/2.
    outputs = np.array([[9.0, 1.0, -1.0, -2.0], [1.0, 5.0, 1.0, -1.0]])
    result = run(set_up(DBDH, labels, bits=4), outputs, labels)
    assert result.terms["balance"] == pytest.approx((0 + 0.25) / 2)
