"""DSDH against its formula; W against least squares, B against trying both values of every bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.dsdh import DSDH, ridge_classifier

Array = NDArray[np.float64]


def pair(u: Array, y: Array, *, others: Array, labels: Array, balanced: bool = False) -> float:
    similar, dissimilar = [], []
    for u_i, y_i in zip(u, y, strict=True):
        for u_j, y_j in zip(others, labels, strict=True):
            theta = 0.5 * (u_i @ u_j)
            if y_i @ y_j > 0:
                similar.append(np.log(1 + np.exp(theta)) - theta)
            else:
                dissimilar.append(np.log(1 + np.exp(theta)))
    if balanced:
        return float(np.mean(similar) + np.mean(dissimilar))
    return float(np.mean(similar + dissimilar))


def numbers(loss: DSDH) -> Array:
    return loss.codes.double().numpy().copy()


@pytest.mark.parametrize("pairs", ["buffer", "batch"])
@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {"eta": 0.1}),
        ({"quantisation": 2.5}, {"eta": 2.5}),
        ({"network_step": "likelihood", "quantisation": 55.0}, {"eta": 0.0}),
        ({"pair_weight": "balanced"}, {"eta": 0.1, "balanced": True}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSDH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DSDH, labels, bits=6, pairs=pairs, **params)
    b, eta = numbers(loss), options["eta"]
    balanced = options.get("balanced", False)

    def formula(u: Array) -> float:
        others = outputs if pairs == "buffer" else u  # the buffer's side has no gradient
        likelihood = pair(u, labels, others=others, labels=labels, balanced=balanced)
        return likelihood + eta * float(np.mean((b - u) ** 2))

    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(formula(outputs), rel=1e-6)
    np.testing.assert_allclose(result.gradient, differences(formula, outputs), atol=1e-6)


def test_the_buffer_holds_the_newest_outputs_and_leaves_out_images_not_seen(
    outputs: Array, labels: Array, set_up: Callable[..., DSDH]
) -> None:
    loss = set_up(DSDH, labels, bits=6, network_step="likelihood").double()
    newer = outputs[[1, 6]] + 0.7
    y = torch.tensor(labels)
    terms = None
    for places, values in (([0, 1, 2, 3], outputs[:4]), ([1, 6], newer)):
        u = torch.tensor(values)
        terms = loss(HashBatch(u, u, y[places], torch.tensor(places), 0.0))
    assert terms is not None
    others = np.vstack([outputs[0], newer[0], outputs[2:4], newer[1]])
    known = labels[[0, 1, 2, 3, 6]]
    expected = pair(newer, labels[[1, 6]], others=others, labels=known)
    assert terms.total.item() == pytest.approx(expected, rel=1e-6)


def test_codes_start_as_the_signs_of_the_initial_network(
    labels: Array, set_up: Callable[..., DSDH]
) -> None:
    first = np.random.default_rng(7)  # as the fixture draws its network's outputs
    first.normal(size=(8, 5))
    expected = np.where(first.normal(size=(8, 6)).astype(np.float32) >= 0, 1, -1)
    np.testing.assert_array_equal(numbers(set_up(DSDH, labels, bits=6)), expected)


@pytest.mark.parametrize("equal_bits", [False, True])
def test_the_classifier_is_the_ridge_regression_of_labels_on_codes(
    *, equal_bits: bool, labels: Array
) -> None:
    B = np.random.default_rng(0).choice([-1.0, 1.0], (8, 5))
    if equal_bits:
        B[:, 3:] = B[:, :1]
    found = ridge_classifier(torch.tensor(B), torch.tensor(labels), ridge=0.7).numpy()
    wide = np.vstack([B, np.sqrt(0.7) * np.eye(5)])
    expected = np.linalg.lstsq(wide, np.vstack([labels, np.zeros((5, labels.shape[1]))]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def objective(B: Array, W: Array, *, y: Array, U: Array, seen: Array, p: DSDH.Params) -> float:
    """The three terms that W and B are in, by definition; U of the images seen."""
    return float(
        p.classification * ((y - B @ W) ** 2).sum()
        + p.ridge * (W**2).sum()
        + p.quantisation * ((B[seen] - U[seen]) ** 2).sum()
    )


def best_classifier(B: Array, y: Array, p: DSDH.Params) -> Array:
    wide = np.vstack([B, np.sqrt(p.ridge / p.classification) * np.eye(B.shape[1])])
    zeros = np.zeros((B.shape[1], y.shape[1]))
    return np.asarray(np.linalg.lstsq(wide, np.vstack([y, zeros]))[0])


def swept(B: Array, W: Array, **problem: Any) -> Array:
    """Bit after bit, image after image that was seen: the better value, the old one of equals."""
    result = B.copy()
    for bit in range(B.shape[1]):
        for image in np.flatnonzero(problem["seen"]):
            old, values = result[image, bit], []
            for sign in (old, -old):
                result[image, bit] = sign
                values.append(objective(result, W, **problem))
            result[image, bit] = old if values[0] <= values[1] + 1e-12 else -old
    return result


@pytest.mark.parametrize("count", [8, 5], ids=["all seen", "some seen"])
@pytest.mark.parametrize("pairs", ["buffer", "batch"])
@pytest.mark.parametrize(
    "params", [{}, {"preset": "treezzz"}, {"preset": "treezzz_imagenet"}, {"rounds": 3}]
)
def test_an_epoch_ends_with_the_best_classifier_and_one_sweep_over_the_bits(
    *,
    count: int,
    pairs: str,
    params: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSDH],
    run: Callable[..., Any],
) -> None:
    params = dict(params)
    values = DSDH.Params.presets[params.pop("preset")] if "preset" in params else params
    loss = set_up(DSDH, labels, bits=6, **{**values, "pairs": pairs})
    start = numbers(loss)
    run(loss, outputs[:count], labels[:count])
    problem = {"y": labels, "U": outputs, "seen": np.arange(8) < count, "p": loss.params}
    expected = start
    for _ in range(loss.params.rounds):
        expected = swept(expected, best_classifier(expected, labels, loss.params), **problem)
    loss.end_epoch(0, None)
    np.testing.assert_array_equal(numbers(loss), expected)
    np.testing.assert_array_equal(numbers(loss)[count:], start[count:])


def test_no_epoch_end_raises_the_objective_and_codes_come_to_rest(
    outputs: Array, labels: Array, set_up: Callable[..., DSDH], run: Callable[..., Any]
) -> None:
    loss = set_up(DSDH, labels, bits=6)
    run(loss, outputs, labels)
    problem = {"y": labels, "U": outputs, "seen": np.full(8, True), "p": loss.params}
    found = []
    for epoch in range(8):
        B = numbers(loss)
        found.append(objective(B, best_classifier(B, labels, loss.params), **problem))
        loss.end_epoch(epoch, None)
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(found))
    assert found[-1] == found[-2] < found[0]


def test_the_public_version_of_eta_55_trains_on_the_likelihood_alone(
    outputs: Array, labels: Array, set_up: Callable[..., DSDH], run: Callable[..., Any]
) -> None:
    loss = set_up(DSDH, labels, bits=6, **DSDH.Params.presets["deephash"])
    before = run(loss, outputs, labels)
    loss.end_epoch(0, None)
    codes = numbers(loss)
    assert not np.array_equal(codes, numbers(set_up(DSDH, labels, bits=6)))
    after = run(loss, outputs, labels)
    assert set(before.terms) == {"pair"}
    assert before.total == after.total
    np.testing.assert_array_equal(before.gradient, after.gradient)
    # So large a pull towards outputs makes their signs the codes.
    np.testing.assert_array_equal(codes, np.where(outputs >= 0, 1, -1))
