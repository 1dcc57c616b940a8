"""DHN against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from math import cosh, exp, log, tanh
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.dhn import DHN

Array = NDArray[np.float64]


def dhn(
    u: Array,
    y: Array,
    *,
    others: tuple[Array, Array] | None = None,
    a: float = 0.1,
    balanced: bool = False,
) -> float:
    similar, dissimilar = [], []
    for u_i, y_i in zip(u, y, strict=True):
        for u_j, y_j in zip(*(others or (u, y)), strict=True):
            theta = 0.5 * float(u_i @ u_j)
            if y_i @ y_j > 0:
                similar.append(log(1 + exp(theta)) - theta)
            else:
                dissimilar.append(log(1 + exp(theta)))
    likelihood = float(np.mean(similar + dissimilar))
    if balanced:
        likelihood = float(np.mean(similar) + np.mean(dissimilar))
    return likelihood + a * float(np.mean([log(cosh(abs(value) - 1)) for value in u.flat]))


@pytest.mark.parametrize(
    ("params", "options", "buffer"),
    [
        ({}, {}, False),
        ({"quantisation": 0.7}, {"a": 0.7}, False),
        ({"pair_weight": "balanced"}, {"balanced": True}, False),
        ({"pairs": "buffer"}, {}, True),
        ({"pairs": "buffer", "pair_weight": "balanced"}, {"balanced": True}, True),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    buffer: bool,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DHN],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    others = (outputs.copy(), labels) if buffer else None  # constants in a buffer
    result = run(set_up(DHN, labels, bits=6, **params), outputs, labels)
    expected = dhn(outputs, labels, others=others, **options)
    assert result.total == pytest.approx(expected, rel=1e-10)
    slopes = differences(lambda u: dhn(u, labels, others=others, **options), outputs)
    np.testing.assert_allclose(result.gradient, slopes, atol=1e-7)


def test_the_deephash_preset_compares_with_the_images_seen_and_no_others(
    outputs: Array, labels: Array, set_up: Callable[..., DHN], run: Callable[..., Any]
) -> None:
    params = resolve_params(DHN.Params, preset="deephash", params={})
    loss, second = set_up(DHN, labels, bits=6, **params), [7, 5]
    first = run(loss, outputs[:3], labels[:3])
    assert first.total == pytest.approx(dhn(outputs[:3], labels[:3]), rel=1e-10)
    seen = [0, 1, 2, 5, 7]
    expected = dhn(outputs[second], labels[second], others=(outputs[seen], labels[seen]))
    result = run(loss, outputs[second], labels[second], positions=second)
    assert result.total == pytest.approx(expected, rel=1e-10)


def test_the_paper_preset_pairs_within_the_batch(
    outputs: Array, labels: Array, set_up: Callable[..., DHN], run: Callable[..., Any]
) -> None:
    params = resolve_params(DHN.Params, preset="paper", params={})
    loss, second = set_up(DHN, labels, bits=6, **params), [7, 5]
    run(loss, outputs[:3], labels[:3])
    result = run(loss, outputs[second], labels[second], positions=second)
    assert result.total == pytest.approx(dhn(outputs[second], labels[second]), rel=1e-10)
    assert not loss.state_dict()


def test_the_penalty_does_not_overflow_in_single_precision(
    set_up: Callable[..., DHN], make_batch: Callable[..., HashBatch]
) -> None:
    labels = np.ones((2, 1))
    outputs = torch.tensor([[1e4, -1e4], [90.0, -1e4]], requires_grad=True)
    terms = set_up(DHN, labels, bits=2)(make_batch(outputs, labels))
    # From about 10 on log cosh(x) is |x| - log 2.
    expected = (3 * 9999 + 89) / 4 - log(2)
    assert terms.terms["quantisation"].item() == pytest.approx(expected, rel=1e-6)
    terms.terms["quantisation"].backward()
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[0.25, -0.25], [0.25, -0.25]]


def test_the_penalty_pulls_to_plus_and_minus_one_and_away_from_zero(
    set_up: Callable[..., DHN], make_batch: Callable[..., HashBatch]
) -> None:
    labels = np.ones((1, 1))
    outputs = torch.tensor([[1.0, -1.0, 0.5, -1.5, 0.0]], requires_grad=True)
    set_up(DHN, labels, bits=5)(make_batch(outputs, labels)).terms["quantisation"].backward()
    assert outputs.grad is not None
    slopes = [0, 0, -tanh(0.5) / 5, -tanh(0.5) / 5, -tanh(1) / 5]
    assert outputs.grad[0].tolist() == pytest.approx(slopes, abs=1e-7)
