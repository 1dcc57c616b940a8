"""DPSH against its formula, written as loops over pairs, and over the steps of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.losses.dpsh import DPSH

Array = NDArray[np.float64]


def likelihood(h: Array, y: Array, *, others: tuple[Array, Array], balanced: bool = False) -> float:
    nlls: dict[bool, list[float]] = {True: [], False: []}
    for h_i, y_i in zip(h, y, strict=True):
        for h_j, y_j in zip(*others, strict=True):
            s = bool(y_i @ y_j > 0)
            theta = float(sum(h_i * h_j)) / 2
            nlls[s].append(log(1 + exp(theta)) - s * theta)
    if balanced:
        return float(np.mean(nlls[True]) + np.mean(nlls[False]))
    return float(np.mean(nlls[True] + nlls[False]))


def penalty(h: Array) -> float:
    return float(np.mean([(value - (1 if value >= 0 else -1)) ** 2 for value in h.flat]))


def dpsh(
    u: Array,
    y: Array,
    *,
    others: tuple[Array, Array] | None = None,
    a: float = 0.1,
    tanh: bool = False,
    balanced: bool = False,
) -> float:
    h = np.tanh(u) if tanh else u
    return likelihood(h, y, others=others or (h, y), balanced=balanced) + a * penalty(h)


@pytest.mark.parametrize("pairs", ["buffer", "batch"])
@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"quantisation": 0.7}, {"a": 0.7}),
        ({"quantisation_scale": "sum", "quantisation": 3.0}, {"a": 3.0 * 6 / 8}),
        ({"pair_weight": "balanced"}, {"balanced": True}),
        ({"tanh": True}, {"tanh": True}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DPSH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    kept = np.tanh(outputs) if options.get("tanh") else outputs.copy()
    others = (kept, labels) if pairs == "buffer" else None  # constants in a buffer
    result = run(set_up(DPSH, labels, bits=6, pairs=pairs, **params), outputs, labels)
    expected = dpsh(outputs, labels, others=others, **options)
    assert result.total == pytest.approx(expected, rel=1e-10)
    slopes = differences(lambda u: dpsh(u, labels, others=others, **options), outputs)
    np.testing.assert_allclose(result.gradient, slopes, atol=1e-7)


def test_pairs_come_from_a_buffer_by_default(
    outputs: Array, labels: Array, set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    default, buffer, batch = (
        run(set_up(DPSH, labels, bits=6, **params), outputs, labels)
        for params in ({}, {"pairs": "buffer"}, {"pairs": "batch"})
    )
    assert np.array_equal(default.gradient, buffer.gradient)
    assert not np.allclose(default.gradient, batch.gradient)


def test_a_batch_is_compared_with_the_newest_outputs_of_the_images_seen_and_no_others(
    outputs: Array, labels: Array, set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    loss, newer = set_up(DPSH, labels, bits=6), outputs[::-1] * 0.8
    first, second = [6, 0, 3], [3, 5]
    step = run(loss, outputs[first], labels[first], positions=first)
    assert step.total == pytest.approx(dpsh(outputs[first], labels[first]), rel=1e-10)
    step = run(loss, newer[second], labels[second], positions=second)
    others = np.vstack([outputs[[0, 6]], newer[[3, 5]]]), labels[[0, 6, 3, 5]]
    expected = dpsh(newer[second], labels[second], others=others)
    assert step.total == pytest.approx(expected, rel=1e-10)


def test_the_buffer_is_taken_up_from_a_checkpoint(
    outputs: Array, labels: Array, set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    loss, resumed = (set_up(DPSH, labels, bits=6).double() for _ in range(2))
    run(loss, outputs[:4], labels[:4])
    resumed.load_state_dict({name: value.clone() for name, value in loss.state_dict().items()})
    last = [6, 7]
    gone_on, taken_up = (
        run(each, outputs[last], labels[last], positions=last) for each in (loss, resumed)
    )
    assert gone_on.total == taken_up.total
    assert np.array_equal(gone_on.gradient, taken_up.gradient)


def test_the_authors_preset_is_the_papers_sum_over_all_pairs_and_images(
    outputs: Array, labels: Array, set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    images, eta = len(outputs), 10
    total = 0.0
    for i in range(images):
        b = np.where(outputs[i] >= 0, 1, -1)
        total += eta * sum((b - outputs[i]) ** 2)
        for j in range(images):
            theta = outputs[i] @ outputs[j] / 2
            total += log(1 + exp(theta)) - (labels[i] @ labels[j] > 0) * theta
    params = resolve_params(DPSH.Params, preset="authors", params={})
    result = run(set_up(DPSH, labels, bits=6, **params), outputs, labels)
    assert result.total == pytest.approx(total / images**2, rel=1e-10)


def test_the_authors_preset_weighs_by_0_096_at_5000_images_and_48_bits(
    set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    params = resolve_params(DPSH.Params, preset="authors", params={})
    loss = set_up(DPSH, np.ones((5000, 1)), bits=48, **params)
    # One image at 0: likelihood log 2, and 1 from either sign.
    assert run(loss, np.zeros((1, 48)), np.ones((1, 1))).total == pytest.approx(log(2) + 0.096)


def test_theta_is_not_clipped(set_up: Callable[..., DPSH], run: Callable[..., Any]) -> None:
    labels = np.eye(2)
    result = run(set_up(DPSH, labels, bits=4), np.full((2, 4), 20.0), labels)
    # theta = 800, which is the loss of 2 of the 4 pairs; the others' is 0. 19 from the sign.
    assert result.total == pytest.approx(400 + 0.1 * 19**2)
    np.testing.assert_allclose(result.gradient, 20 / 2 / 4 + 0.1 * 2 * 19 / 8)


def test_an_output_of_exactly_zero_is_pulled_towards_plus_one(
    set_up: Callable[..., DPSH], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 1))
    result = run(set_up(DPSH, labels, bits=4), np.zeros((1, 4)), labels)
    np.testing.assert_allclose(result.gradient, np.full((1, 4), -0.1 * 2 / 4))
