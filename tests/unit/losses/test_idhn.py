"""IDHN against its formula, written as loops over pairs, in both variants."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.idhn import IDHN

Array = NDArray[np.float64]


def softsign(u: Array) -> Array:
    return u / (1 + np.abs(u))


def cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0


def pair(product: float, c: float, *, bits: int, variant: str, beta: float, gamma: float) -> float:
    omega = beta / bits * product if variant == "authors" else 0.5 * product
    if c > 0.99 or c < 0.01:
        return log(1 + exp(omega)) - c * omega
    if variant == "authors":
        return gamma * bits * ((product + bits) / (2 * bits) - c) ** 2
    return gamma * (0.5 * product + bits - 2 * c * bits) ** 2


def idhn(
    u: Array,
    y: Array,
    *,
    variant: str = "authors",
    beta: float = 5.0,
    gamma: float = 0.1,
    a: float = 0.1,
    balanced: bool = False,
    partners: tuple[Array, Array] | None = None,
) -> float:
    """``partners``: the second images, as v and labels; None for the batch itself."""
    v = softsign(u)
    others, their_labels = (v, y) if partners is None else partners
    similar, dissimilar = [], []
    for v_i, y_i in zip(v, y, strict=True):
        for v_j, y_j in zip(others, their_labels, strict=True):
            c = cosine(y_i, y_j)
            side = similar if c > 0 else dissimilar
            options: dict[str, Any] = {"variant": variant, "beta": beta, "gamma": gamma}
            side.append(pair(float(v_i @ v_j), c, bits=u.shape[1], **options))
    mean = np.mean(similar) + np.mean(dissimilar) if balanced else np.mean(similar + dissimilar)
    return float(mean) + a * float(np.mean(np.abs(np.abs(v) - 1)))


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"beta": 2.0, "gamma": 0.5, "quantisation": 0.3}, {"beta": 2.0, "gamma": 0.5, "a": 0.3}),
        ({"variant": "deephash"}, {"variant": "deephash"}),
        ({"variant": "deephash", "gamma": 0.02}, {"variant": "deephash", "gamma": 0.02}),
        ({"pair_weight": "balanced"}, {"balanced": True}),
        (IDHN.Params.presets["authors"], {}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., IDHN],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    result = run(set_up(IDHN, labels, bits=6, **params), outputs, labels)
    assert result.total == pytest.approx(idhn(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: idhn(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def step(loss: IDHN, u: Array, y: Array, positions: list[int]) -> tuple[float, Array]:
    at = torch.tensor(positions)
    outputs = torch.tensor(u[positions], requires_grad=True)
    labels = torch.tensor(y[positions])
    total = loss.double()(HashBatch(outputs, outputs, labels, at, 0.0)).total
    total.backward()
    assert outputs.grad is not None
    return total.item(), outputs.grad.numpy()


@pytest.mark.parametrize("variant", ["authors", "deephash"])
def test_with_a_buffer_a_batch_meets_every_image_seen_as_it_last_was(
    *,
    variant: str,
    outputs: Array,
    multi_labels: Array,
    set_up: Callable[..., IDHN],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(IDHN, multi_labels, bits=6, variant=variant, pairs="buffer")
    step(loss, outputs, multi_labels, [0, 1, 2])
    now, first = outputs[[4, 1, 6]], [4, 1, 6]
    seen = [0, 1, 2, 4, 6]  # 3, 5 and 7 have not passed yet
    partners = (softsign(outputs[seen]), multi_labels[seen])

    def formula(u: Array) -> float:
        return idhn(u, multi_labels[first], variant=variant, partners=partners)

    total, gradient = step(loss, outputs, multi_labels, first)

    assert total == pytest.approx(formula(now), rel=1e-10)
    np.testing.assert_allclose(gradient, differences(formula, now), atol=1e-7)


def test_the_buffer_makes_the_round_trip(
    outputs: Array, multi_labels: Array, set_up: Callable[..., IDHN]
) -> None:
    first, second = (
        set_up(IDHN, multi_labels, bits=6, seed=seed, pairs="buffer").double() for seed in (1, 2)
    )
    step(first, outputs, multi_labels, [0, 1, 2])
    state = {key: value.clone() for key, value in first.state_dict().items()}
    assert set(state) == {"partners.latest", "partners.seen"}
    second.load_state_dict(state)
    one, other = (step(loss, outputs, multi_labels, [4, 1, 6]) for loss in (first, second))
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1])


def test_pairs_within_the_batch_leave_nothing_in_the_checkpoint(
    multi_labels: Array, set_up: Callable[..., IDHN]
) -> None:
    assert not set_up(IDHN, multi_labels, bits=6).state_dict()


def test_on_single_label_data_no_pair_is_soft(
    outputs: Array, single_labels: Array, set_up: Callable[..., IDHN], run: Callable[..., Any]
) -> None:
    result = run(set_up(IDHN, single_labels, bits=6), outputs, single_labels)
    assert result.terms["soft"] == 0
    assert result.terms["hard"] > 0


def test_equal_label_sets_are_a_hard_pair_and_overlapping_ones_a_soft_pair(
    set_up: Callable[..., IDHN], run: Callable[..., Any]
) -> None:
    u = np.ones((2, 4))  # v is 1/2 throughout: the product of any two is 1
    same, overlap = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    hard = log(1 + exp(5 / 4)) - 5 / 4
    soft = 4 * ((1 + 4) / 8 - 2**-0.5) ** 2
    result = run(set_up(IDHN, same, bits=4), u, same)
    assert result.terms["hard"] == pytest.approx(hard, rel=1e-10)
    assert result.terms["soft"] == 0
    result = run(set_up(IDHN, overlap, bits=4), u, overlap)
    assert result.terms["hard"] == pytest.approx(hard / 2, rel=1e-10)  # the two self pairs of four
    assert result.terms["soft"] == pytest.approx(soft / 2, rel=1e-10)


def test_an_unlabelled_image_is_dissimilar_to_everything_itself_too(
    set_up: Callable[..., IDHN], run: Callable[..., Any]
) -> None:
    labels = np.zeros((1, 3))
    result = run(set_up(IDHN, labels, bits=2), np.array([[1.0, 1.0]]), labels)
    assert result.terms["hard"] == pytest.approx(log(1 + exp(5 / 2 * 0.5)))


def test_the_logit_of_the_authors_is_at_most_five(
    set_up: Callable[..., IDHN], run: Callable[..., Any]
) -> None:
    labels, far = np.zeros((2, 1)), np.full((2, 16), 1e9)
    result = run(set_up(IDHN, labels, bits=16), far, labels)
    assert result.terms["hard"] == pytest.approx(log(1 + exp(5)), rel=1e-7)


def test_the_deephash_variant_cannot_reach_the_target_of_a_pair_that_shares_nearly_all(
    set_up: Callable[..., IDHN], run: Callable[..., Any]
) -> None:
    labels = np.ones((2, 10))
    labels[1, 0] = 0  # c is the root of 0.9
    equal = np.full((2, 4), 1e9)
    authors, deephash = (
        run(set_up(IDHN, labels, bits=4, variant=name), equal, labels).terms["soft"]
        for name in ("authors", "deephash")
    )
    assert authors == pytest.approx(4 * (1 - 0.9**0.5) ** 2 / 2, rel=1e-5)
    assert deephash == pytest.approx((2 + 4 - 8 * 0.9**0.5) ** 2 / 2, rel=1e-5)


def test_the_deephash_preset_compares_with_a_buffer_and_the_authors_with_the_batch() -> None:
    authors, deephash = (
        resolve_params(IDHN.Params, preset=name, params={}) for name in ("authors", "deephash")
    )
    assert authors == resolve_params(IDHN.Params, preset=None, params={})
    assert deephash == {**authors, "variant": "deephash", "pairs": "buffer"}
