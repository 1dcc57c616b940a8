"""DHD against its three terms, written as loops over images, classes and bits."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Head
from hashbench.methods.heads import build_head
from hashbench.methods.interface import BackboneOutput, HashBatch
from hashbench.methods.losses.dhd import DHD

Array = NDArray[np.float64]


def cosine(a: Array, b: Array) -> float:
    return float(a @ b) / sqrt(float(a @ a) * float(b @ b))


def bell(x: float, *, centre: float, sigma: float) -> float:
    return min(max(exp(-0.5 * ((x - centre) / sigma) ** 2), 1e-7), 1 - 1e-7)


def bce(g: float, a: float) -> float:
    return -a * log(g) - (1 - a) * log(1 - g)


def proxy_term(h: Array, y: Array, proxies: Array, *, tau: float) -> float:
    losses = []
    for h_i, y_i in zip(h, y, strict=True):
        if y_i.sum() > 0:
            scaled = np.array([cosine(h_i, p) / tau for p in proxies])
            log_shares = scaled - log(sum(exp(value) for value in scaled))
            losses.append(-sum(y_i / y_i.sum() * log_shares))
    return float(np.mean(losses)) if losses else 0.0


def quantisation_term(h: Array, *, sigma: float) -> float:
    costs = []
    for x in h.ravel():
        a = 1.0 if x >= 0 else 0.0
        costs.append(
            bce(bell(x, centre=1, sigma=sigma), a) + bce(bell(x, centre=-1, sigma=sigma), 1 - a)
        )
    return float(np.mean(costs))


def dhd(
    teacher: Array,
    y: Array,
    *,
    student: Array,
    proxies: Array,
    fixed: Array,
    tau: float = 0.2,
    sigma: float = 0.5,
    l1: float = 0.1,
    l2: float = 0.1,
) -> float:
    """``fixed`` is the teacher that the student follows: the same numbers, held still."""
    gaps = [1 - cosine(s, t) for s, t in zip(student, fixed, strict=True)]
    return (
        proxy_term(teacher, y, proxies, tau=tau)
        + l1 * float(np.mean(gaps))
        + l2 * quantisation_term(teacher, sigma=sigma)
    )


@pytest.fixture
def teacher(outputs: Array) -> Array:
    return np.tanh(outputs)


@pytest.fixture
def student(outputs: Array) -> Array:
    noise = np.random.default_rng(9).normal(scale=0.7, size=outputs.shape)
    return np.tanh(outputs + noise)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        (DHD.Params.presets["paper"], {}),
        ({"temperature": 1.3, "distillation": 2.0}, {"tau": 1.3, "l1": 2.0}),
        ({"deviation": 0.25, "quantisation": 3.0}, {"sigma": 0.25, "l2": 3.0}),
        ({"distillation": 0.0, "quantisation": 0.0}, {"l1": 0.0, "l2": 0.0}),
    ],
)
def test_value_and_gradients_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    teacher: Array,
    student: Array,
    labels: Array,
    set_up: Callable[..., DHD],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DHD, labels, bits=6, **params)
    proxies = loss.proxies.detach().double().numpy().copy()
    second = torch.tensor(student, requires_grad=True)

    result = run(loss, teacher, labels, second=second)

    known = {"student": student, "proxies": proxies, "fixed": teacher}
    assert result.total == pytest.approx(dhd(teacher, labels, **known, **options), rel=1e-10)
    by_teacher = differences(lambda h: dhd(h, labels, **known, **options), teacher)
    np.testing.assert_allclose(result.gradient, by_teacher, atol=1e-6)
    by_student = differences(
        lambda h: dhd(teacher, labels, **{**known, "student": h}, **options), student
    )
    np.testing.assert_allclose(second.grad, by_student, atol=1e-7)
    by_proxy = differences(
        lambda p: dhd(teacher, labels, **{**known, "proxies": p}, **options), proxies
    )
    np.testing.assert_allclose(loss.proxies.grad, by_proxy, atol=1e-7)


def test_only_the_student_moves_in_the_distillation(
    *,
    teacher: Array,
    student: Array,
    single_labels: Array,
    set_up: Callable[..., DHD],
    make_batch: Callable[..., HashBatch],
) -> None:
    h_t, h_s = (torch.tensor(h, requires_grad=True) for h in (teacher, student))
    loss = set_up(DHD, single_labels, bits=6).double()
    loss(make_batch(h_t, single_labels, second=h_s)).terms["distillation"].backward()
    assert h_t.grad is None
    assert h_s.grad is not None
    assert float(h_s.grad.abs().min()) > 0


def test_views_at_right_angles_cost_one_and_opposite_ones_two(
    set_up: Callable[..., DHD], run: Callable[..., Any]
) -> None:
    teacher = np.array([[0.5, 0.5], [0.5, 0.5]])
    student = torch.tensor([[0.1, -0.1], [-0.9, -0.9]], dtype=torch.float64)
    loss = set_up(DHD, np.eye(2), bits=2)
    assert run(loss, teacher, np.eye(2), second=student).terms["distillation"] == pytest.approx(1.5)


def test_a_binary_output_costs_little_to_quantise_and_a_middling_one_more(
    set_up: Callable[..., DHD], run: Callable[..., Any]
) -> None:
    """At +1: -log 1 for its own bell, -log(1 - e^-8) for the other; at 0: 2 and -log(1 - e^-2)."""

    def cost(value: float) -> float:
        h = np.full((2, 4), float(value))
        loss = set_up(DHD, np.eye(2), bits=4)
        return float(run(loss, h, np.eye(2), second=torch.tensor(h)).terms["quantisation"])

    assert cost(1) == cost(-1) == pytest.approx(-log(1 - exp(-8)), abs=2e-7)
    assert cost(0) == pytest.approx(2 - log(1 - exp(-2)))
    assert cost(1) < cost(0.5) < cost(0)


def test_an_output_of_zero_counts_as_plus_one(
    set_up: Callable[..., DHD], make_batch: Callable[..., HashBatch]
) -> None:
    h = torch.zeros(2, 4, requires_grad=True)
    loss = set_up(DHD, np.eye(2), bits=4, distillation=0.0)
    loss(make_batch(h, np.eye(2), second=h)).terms["quantisation"].backward()
    assert h.grad is not None
    assert float(h.grad.max()) < 0  # descent raises it, to +1


def test_outputs_far_outside_the_bells_cost_the_clamp_and_have_no_slope(
    set_up: Callable[..., DHD], make_batch: Callable[..., HashBatch]
) -> None:
    """At 40 both bells are 1e-7: -log(1e-7) for its own, -log(1 - 1e-7) for the other."""
    h = torch.full((2, 4), 40.0, requires_grad=True)
    loss = set_up(DHD, np.eye(2), bits=4)
    term = loss(make_batch(h, np.eye(2), second=h)).terms["quantisation"]
    term.backward()
    assert term.item() == pytest.approx(-log(1e-7), rel=1e-6)
    assert h.grad is not None
    assert not h.grad.any()


def test_images_without_a_label_are_left_out_of_the_proxy_term_only(
    *,
    teacher: Array,
    student: Array,
    multi_labels: Array,
    set_up: Callable[..., DHD],
    run: Callable[..., Any],
) -> None:
    kept = multi_labels.sum(1) > 0
    loss = set_up(DHD, multi_labels, bits=6)
    whole = run(loss, teacher, multi_labels, second=torch.tensor(student)).terms
    part = run(loss, teacher[kept], multi_labels[kept], second=torch.tensor(student[kept])).terms
    assert whole["proxy"] == pytest.approx(part["proxy"])
    assert whole["distillation"] != pytest.approx(part["distillation"])
    assert whole["quantisation"] != pytest.approx(part["quantisation"])


def test_labels_keep_their_values_through_a_step(
    *,
    teacher: Array,
    student: Array,
    multi_labels: Array,
    set_up: Callable[..., DHD],
    make_batch: Callable[..., HashBatch],
) -> None:
    batch = make_batch(
        torch.tensor(teacher, requires_grad=True), multi_labels, second=torch.tensor(student)
    )
    set_up(DHD, multi_labels, bits=6).double()(batch).total.backward()
    assert batch.labels._version == 0
    np.testing.assert_array_equal(batch.labels, multi_labels)


def test_proxies_start_xavier_uniform_with_the_gain_of_tanh(set_up: Callable[..., DHD]) -> None:
    drawn = set_up(DHD, np.eye(200), bits=128).proxies.detach().numpy()
    bound = 5 / 3 * sqrt(6 / (200 + 128))
    assert drawn.shape == (200, 128)
    assert np.abs(drawn).max() == pytest.approx(bound, rel=1e-3)
    assert drawn.std() == pytest.approx(bound / sqrt(3), rel=0.02)
    assert abs(drawn.mean()) < 0.005


def test_its_last_layer_ends_in_tanh_already() -> None:
    head = build_head(Head(last_layer=str(DHD.needs.last_layer)), 5, bits=8)
    outputs = head(BackboneOutput(1000 * torch.randn(4, 5, generator=torch.Generator())))
    assert float(outputs.detach().abs().max()) <= 1


def test_a_batch_without_a_second_view_is_refused(
    *,
    teacher: Array,
    single_labels: Array,
    set_up: Callable[..., DHD],
    make_batch: Callable[..., HashBatch],
) -> None:
    loss = set_up(DHD, single_labels, bits=6)
    with pytest.raises(ValueError, match="two views"):
        loss(make_batch(torch.tensor(teacher), single_labels))
