"""CIBHash against its formula, written as loops over rows and bits."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.cibhash import CIBHash, view_contrast

Array = NDArray[np.float64]
EPSILON = 1e-8


def sigmoid(u: Array) -> Array:
    return 1 / (1 + np.exp(-u))


def contrast(z: Array, *, tau: float) -> float:
    """Over the 2n rows z, those of the first view before those of the second."""
    half = len(z) // 2
    losses = []
    for r in range(len(z)):
        other = r + half if r < half else r - half
        scores = {
            a: exp(float(z[r] @ z[a]) / sqrt(float(z[r] @ z[r]) * float(z[a] @ z[a])) / tau)
            for a in range(len(z))
            if a != r
        }
        losses.append(-log(scores[other] / sum(scores.values())))
    return float(np.mean(losses))


def kl(p: Array, q: Array) -> float:
    rows = [
        sum(
            a * (log(a + EPSILON) - log(b + EPSILON))
            + (1 - a) * (log(1 - a + EPSILON) - log(1 - b + EPSILON))
            for a, b in zip(p_i, q_i, strict=True)
        )
        for p_i, q_i in zip(p, q, strict=True)
    ]
    return float(np.mean(rows))


def expected(first: Array, second: Array, *, tau: float = 0.3, beta: float = 0.001) -> float:
    signs = np.where(np.concatenate([first, second]) >= 0, 1.0, -1.0)
    p, q = sigmoid(first), sigmoid(second)
    return contrast(signs, tau=tau) + beta * 0.5 * (kl(p, q) + kl(q, p))


def straightened(first: Array, second: Array, *, at: Array, tau: float, beta: float) -> float:
    """What the gradient by the first view is that of.

    Signs at ``at`` that follow p from there on with slope 1, and a KL in which only the first
    place of each divergence moves.
    """
    p, still = sigmoid(first), sigmoid(at)
    moved = np.where(at >= 0, 1.0, -1.0) + p - still
    z = np.concatenate([moved, np.where(second >= 0, 1.0, -1.0)])
    return contrast(z, tau=tau) + beta * 0.5 * kl(p, sigmoid(second))


@pytest.fixture
def second(outputs: Array) -> Array:
    """Another view: some signs differ."""
    noise = np.random.default_rng(9).normal(scale=0.8, size=outputs.shape)
    values: Array = outputs + noise
    assert (np.sign(values) != np.sign(outputs)).sum() > 3
    return values


OPTIONS = [(0.3, 0.001), (1.7, 0.5), (0.5, 0.0)]


@pytest.mark.parametrize(("tau", "beta"), OPTIONS)
def test_value_and_gradients_follow_the_formula(
    *,
    tau: float,
    beta: float,
    outputs: Array,
    second: Array,
    single_labels: Array,
    set_up: Callable[..., CIBHash],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(CIBHash, single_labels, bits=6, temperature=tau, divergence=beta)
    view = torch.tensor(second, requires_grad=True)

    result = run(loss, outputs, single_labels, second=view)

    assert result.total == pytest.approx(expected(outputs, second, tau=tau, beta=beta), rel=1e-8)
    options = {"tau": tau, "beta": beta}
    by_first = differences(
        lambda u: straightened(u, second, at=outputs, **options), outputs, step=1e-5
    )
    np.testing.assert_allclose(result.gradient, by_first, atol=1e-7)
    by_second = differences(
        lambda u: straightened(u, outputs, at=second, **options), second, step=1e-5
    )
    np.testing.assert_allclose(view.grad, by_second, atol=1e-7)


def test_the_defaults_are_the_authors(
    *,
    outputs: Array,
    second: Array,
    single_labels: Array,
    set_up: Callable[..., CIBHash],
    run: Callable[..., Any],
) -> None:
    loss = set_up(CIBHash, single_labels, bits=6)
    result = run(loss, outputs, single_labels, second=torch.tensor(second))
    assert result.total == pytest.approx(expected(outputs, second), rel=1e-8)


def test_a_row_has_its_other_view_and_two_n_less_two_negatives(
    set_up: Callable[..., CIBHash], run: Callable[..., Any]
) -> None:
    """Two images of opposite codes, both views alike: 1 right, 2 wrong at cosine -1."""
    first = np.array([[1.0, 1, 1, 1], [-1, -1, -1, -1]])
    loss = set_up(CIBHash, np.eye(2), bits=4)
    terms = run(loss, first, np.eye(2), second=torch.tensor(first)).terms
    assert terms["contrastive"] == pytest.approx(log(1 + 2 * exp(-2 / 0.3)))
    assert terms["divergence"] == pytest.approx(0, abs=1e-15)


def test_equal_codes_cost_the_logarithm_of_the_candidates() -> None:
    rows = torch.full((10, 4), 0.5, dtype=torch.float64)
    assert float(view_contrast(rows, temperature=0.3)) == pytest.approx(log(9))


def test_a_batch_of_one_has_nothing_to_contrast(
    set_up: Callable[..., CIBHash], run: Callable[..., Any]
) -> None:
    loss = set_up(CIBHash, np.eye(1), bits=4, divergence=0.0)
    second = torch.tensor([[1.0, -1, 1, 1]], dtype=torch.float64)
    result = run(loss, np.array([[1.0, 1, -1, 1]]), np.eye(1), second=second)
    assert result.total == 0
    assert not result.gradient.any()


def test_the_divergence_of_a_known_pair_sums_over_the_bits(
    set_up: Callable[..., CIBHash], run: Callable[..., Any]
) -> None:
    """With p = 3/4 and q = 1/4 both divergences are log(3)/2 a bit."""
    u = np.full((1, 4), log(3))
    loss = set_up(CIBHash, np.eye(1), bits=4)
    terms = run(loss, u, np.eye(1), second=torch.tensor(-u)).terms
    assert terms["divergence"] == pytest.approx(4 * log(3) / 2, rel=1e-6)


def test_the_divergence_stays_exact_in_float32_where_p_rounds_to_one(
    set_up: Callable[..., CIBHash], make_batch: Callable[..., HashBatch]
) -> None:
    """At u = 30 the other view at -30 costs log((1 + eps) / (e^-30 + eps)) a bit, both ways."""
    u = torch.full((1, 4), 30.0, requires_grad=True)
    loss = set_up(CIBHash, np.eye(1), bits=4)
    term = loss(make_batch(u, np.eye(1), second=-u.detach())).terms["divergence"]
    assert term.item() == pytest.approx(4 * log(1 / (exp(-30) + EPSILON)), rel=1e-5)
    term.backward()
    assert u.grad is not None
    assert bool(torch.isfinite(u.grad).all())


def test_a_tiny_negative_output_is_minus_one_as_in_the_code(
    set_up: Callable[..., CIBHash], run: Callable[..., Any]
) -> None:
    """In p it is exactly 1/2, whose sign would make all four codes equal: a loss of log 3."""
    first = np.array([[1.0, 1], [-1e-30, -1e-30]])
    loss = set_up(CIBHash, np.eye(2), bits=2)
    term = run(loss, first, np.eye(2), second=torch.tensor(first)).terms["contrastive"]
    assert term == pytest.approx(log(1 + 2 * exp(-2 / 0.3)))


def test_the_gradient_through_the_sign_is_that_of_p(
    *,
    outputs: Array,
    second: Array,
    single_labels: Array,
    set_up: Callable[..., CIBHash],
    make_batch: Callable[..., HashBatch],
) -> None:
    """Two outputs of one sign give one code, and gradients in the ratio of p(1 - p)."""
    changed = outputs.copy()
    changed[0, 0] = 3 * outputs[0, 0]
    grads = []
    for values in (outputs, changed):
        u = torch.tensor(values, requires_grad=True)
        loss = set_up(CIBHash, single_labels, bits=6, divergence=0.0)
        loss(make_batch(u, single_labels, second=torch.tensor(second))).total.backward()
        assert u.grad is not None
        grads.append(u.grad.numpy())
    slopes = [float(p * (1 - p)) for p in (sigmoid(v)[0, 0] for v in (outputs, changed))]
    assert grads[1][0, 0] / grads[0][0, 0] == pytest.approx(slopes[1] / slopes[0])
    np.testing.assert_allclose(grads[0][1:], grads[1][1:])


def test_labels_change_nothing(
    *,
    outputs: Array,
    second: Array,
    single_labels: Array,
    multi_labels: Array,
    set_up: Callable[..., CIBHash],
    run: Callable[..., Any],
) -> None:
    one, other = (
        run(set_up(CIBHash, y, bits=6), outputs, y, second=torch.tensor(second))
        for y in (single_labels, multi_labels)
    )
    assert one.total == other.total
    np.testing.assert_array_equal(one.gradient, other.gradient)


def test_a_batch_without_a_second_view_is_refused(
    *,
    outputs: Array,
    single_labels: Array,
    set_up: Callable[..., CIBHash],
    make_batch: Callable[..., HashBatch],
) -> None:
    loss = set_up(CIBHash, single_labels, bits=6)
    with pytest.raises(ValueError, match="two views"):
        loss(make_batch(torch.tensor(outputs), single_labels))
