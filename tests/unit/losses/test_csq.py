"""CSQ against its formula with the naive binary cross entropy, and saturated outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.methods.losses.csq import CSQ

Array = NDArray[np.float64]


def centre_of(y: Array, *, centres: Array, tie: Array) -> Array:
    bits = []
    for k in range(len(tie)):
        vote = sum(centres[c, k] for c in range(len(y)) if y[c] == 1)
        bits.append(tie[k] if vote == 0 else np.sign(vote))
    return np.array(bits)


def csq(u: Array, y: Array, *, centres: Array, tie: Array, weight: float) -> float:
    entropies, penalties = [], []
    for u_i, y_i in zip(u, y, strict=True):
        if y_i.sum() == 0:
            continue
        t = (centre_of(y_i, centres=centres, tie=tie) + 1) / 2
        h = np.tanh(u_i)
        q = (h + 1) / 2
        entropies.append(-(t * np.log(q) + (1 - t) * np.log(1 - q)))
        penalties.append((np.abs(h) - 1) ** 2)
    return float(np.mean(entropies) + weight * np.mean(penalties))


@pytest.mark.parametrize("weight", [1e-4, 0.05, 2.0])
def test_value_and_gradient_follow_the_formula(
    *,
    weight: float,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., CSQ],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(CSQ, labels, bits=6, quantisation=weight)
    made = {"centres": loss.centres.double().numpy(), "tie": loss.tie.double().numpy()}
    result = run(loss, outputs, labels)
    expected = csq(outputs, labels, **made, weight=weight)
    assert result.total == pytest.approx(expected, rel=1e-9)
    gradient = differences(lambda u: csq(u, labels, **made, weight=weight), outputs)
    np.testing.assert_allclose(result.gradient, gradient, atol=1e-7)


def test_a_saturated_output_on_the_wrong_side_costs_twice_its_size(
    set_up: Callable[..., CSQ], run: Callable[..., Any]
) -> None:
    labels = np.eye(4)
    loss = set_up(CSQ, labels, bits=16, quantisation=0.0)
    targets = loss.centres.double().numpy()
    assert run(loss, -1e4 * targets, labels).total == pytest.approx(2e4)
    assert run(loss, 1e4 * targets, labels).total == 0


def test_an_unlabelled_image_changes_nothing(
    outputs: Array, multi_labels: Array, set_up: Callable[..., CSQ], run: Callable[..., Any]
) -> None:
    loss = set_up(CSQ, multi_labels, bits=6, quantisation=0.5)
    kept = multi_labels.sum(1) > 0
    whole = run(loss, outputs, multi_labels)
    without = run(loss, outputs[kept], multi_labels[kept])
    assert whole.total == pytest.approx(without.total)
    assert not whole.gradient[~kept].any()


def test_the_paper_preset_uses_hadamard_rows(set_up: Callable[..., CSQ]) -> None:
    loss = set_up(CSQ, np.eye(3), bits=4, **CSQ.Params.presets["paper"])
    assert loss.centres.tolist() == [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]
