"""HashNet against its formula with explicit pair weights, and its continuation."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.losses.hashnet import HashNet

Array = NDArray[np.float64]


def hashnet(
    u: Array,
    y: Array,
    *,
    alpha: float,
    beta: float = 1.0,
    jaccard: bool = False,
    balanced: bool = True,
) -> float:
    h = np.tanh(beta * u)
    n = len(u)
    similar = sum(y[i] @ y[j] > 0 for i in range(n) for j in range(n))
    size = {True: similar, False: n * n - similar}
    total = 0.0
    for i in range(n):
        for j in range(n):
            s = bool(y[i] @ y[j] > 0)
            theta = alpha * float(h[i] @ h[j])
            w = n * n / size[s] if balanced else 1.0
            if jaccard and s:
                w *= (y[i] @ y[j]) / np.maximum(y[i], y[j]).sum()
            total += w * (log(1 + exp(theta)) - s * theta)
    return float(total / n**2)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {"alpha": 10 / 6}),
        ({"alpha": 3.0}, {"alpha": 3.0}),
        ({"alpha": 0.1}, {"alpha": 0.1}),
        ({"similar_weight": "jaccard"}, {"alpha": 10 / 6, "jaccard": True}),
        ({"pair_weight": "none"}, {"alpha": 10 / 6, "balanced": False}),
    ],
)
@pytest.mark.parametrize("progress", [0.0, 0.4])
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    progress: float,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HashNet],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    options = {**options, "beta": sqrt(1 + 50 * progress)}
    result = run(set_up(HashNet, labels, bits=6, **params), outputs, labels, progress=progress)
    assert result.total == pytest.approx(hashnet(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: hashnet(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_alpha_scales_the_whole_logit(
    set_up: Callable[..., HashNet], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    outputs = np.array([[9.0, 9.0, 9.0, 9.0], [9.0, 9.0, 9.0, -9.0]])  # h.h is 4 and 2
    loss = set_up(HashNet, labels, bits=4, alpha=20.0)
    expected = log(1 + exp(-80)) + log(1 + exp(40))
    assert run(loss, outputs, labels).total == pytest.approx(expected, rel=1e-6)


def test_jaccard_weights_change_nothing_on_single_label_data(
    outputs: Array,
    single_labels: Array,
    set_up: Callable[..., HashNet],
    run: Callable[..., Any],
) -> None:
    one, jaccard = (
        run(set_up(HashNet, single_labels, bits=6, similar_weight=c), outputs, single_labels)
        for c in ("one", "jaccard")
    )
    assert one.total == jaccard.total


def test_beta_grows_with_the_progress_of_the_run() -> None:
    loss = HashNet(HashNet.Params())
    assert [loss.beta(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1, sqrt(26), sqrt(51)])


def test_the_deephash_preset_steps_every_twenty_epochs() -> None:
    params = resolve_params(HashNet.Params, preset="deephash", params={})
    loss = HashNet(HashNet.Params.model_validate(params))
    betas = []
    for epoch in (0, 19, 20, 39, 40, 149):
        loss.begin_epoch(epoch)
        betas.append(loss.beta(epoch / 150))
    assert betas == pytest.approx([1, 1, sqrt(2), sqrt(2), sqrt(3), sqrt(8)])
    assert params["alpha"] == 0.1


def test_without_continuation_beta_stays_one() -> None:
    loss = HashNet(HashNet.Params.model_validate({"continuation": "none"}))
    loss.begin_epoch(100)
    assert loss.beta(0.9) == 1
