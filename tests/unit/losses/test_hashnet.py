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
    others: tuple[Array, Array] | None = None,
    alpha: float,
    beta: float = 1.0,
    jaccard: bool = False,
    balanced: bool = True,
) -> float:
    h = np.tanh(beta * u)
    g, z = (h, y) if others is None else others
    n, m = len(h), len(g)
    similar = sum(y[i] @ z[j] > 0 for i in range(n) for j in range(m))
    size = {True: similar, False: n * m - similar}
    total = 0.0
    for i in range(n):
        for j in range(m):
            s = bool(y[i] @ z[j] > 0)
            theta = alpha * float(h[i] @ g[j])
            w = n * m / size[s] if balanced else 1.0
            if jaccard and s:
                w *= (y[i] @ z[j]) / np.maximum(y[i], z[j]).sum()
            total += w * (log(1 + exp(theta)) - s * theta)
    return float(total / (n * m))


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
@pytest.mark.parametrize("pairs", ["batch", "buffer"])
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
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
    if pairs == "buffer":  # which holds constants
        options["others"] = (np.tanh(options["beta"] * outputs), labels)
    loss = set_up(HashNet, labels, bits=6, pairs=pairs, **params)
    result = run(loss, outputs, labels, progress=progress)
    assert result.total == pytest.approx(hashnet(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: hashnet(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


@pytest.mark.parametrize("jaccard", [False, True])
def test_a_buffer_keeps_the_codes_of_the_images_seen_with_the_beta_they_had(
    *,
    jaccard: bool,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HashNet],
    run: Callable[..., Any],
) -> None:
    weight = "jaccard" if jaccard else "one"
    loss = set_up(HashNet, labels, bits=6, pairs="buffer", similar_weight=weight)
    first, second, seen = [0, 1, 2], [7, 5], [0, 1, 2, 5, 7]
    run(loss, outputs[first], labels[first], progress=0.1)
    result = run(loss, outputs[second], labels[second], progress=0.6, positions=second)
    kept = np.vstack([np.tanh(sqrt(6) * outputs[first]), np.tanh(sqrt(31) * outputs[[5, 7]])])
    expected = hashnet(
        outputs[second],
        labels[second],
        others=(kept, labels[seen]),
        alpha=10 / 6,
        beta=sqrt(31),
        jaccard=jaccard,
    )
    assert result.total == pytest.approx(expected, rel=1e-10)


def test_the_vts_preset_is_deephash_with_the_buffer() -> None:
    deephash, vts = (
        HashNet.Params.model_validate(resolve_params(HashNet.Params, preset=name, params={}))
        for name in ("deephash", "vts")
    )
    assert (deephash.pairs, vts.pairs) == ("batch", "buffer")
    assert vts == deephash.model_copy(update={"pairs": vts.pairs})


def test_parameters_of_the_first_fits_are_resolved_as_they_were() -> None:
    recorded = {
        "alpha": None,
        "continuation": "progress",
        "growth": 50.0,
        "step_epochs": 20,
        "similar_weight": "one",
        "pair_weight": "balanced",
    }
    assert resolve_params(HashNet.Params, preset=None, params={}) == recorded


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
