"""DFH against its formula, and its centres against trying both values of every bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.conformance.loss_bench import LossBench
from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.dfh import DFH, descended_centres, swept_centres

Array = NDArray[np.float64]


def columns(y: Array, *, normalised: bool = True) -> Array:
    return np.array([row / row.sum() if normalised and row.sum() else row for row in y])


def sign(values: Array) -> Array:
    return np.where(values >= 0, 1.0, -1.0)


def dfh(
    u: Array, b: Array, y: Array, *, others: Array, m: float, eta: float, balanced: bool
) -> float:
    similar, dissimilar = [], []
    for i, u_i in enumerate(u):
        for j, u_j in enumerate(others):
            theta = 0.5 * (u_i @ u_j)
            if y[i] @ y[j] > 0:
                similar.append(np.log(1 + np.exp(m - theta)))
            else:
                dissimilar.append(np.log(1 + np.exp(m + theta)))
    pair = np.mean(similar + dissimilar)
    if balanced:
        pair = np.mean(similar) + np.mean(dissimilar)
    return float(pair + eta * np.mean((b - u) ** 2))


@pytest.mark.parametrize("pairs", ["buffer", "batch"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"margin": 3.0},
        {"centre_weight": 0.1, "quantisation": 2.0},
        {"centre_weight": 4.0, "normalised_labels": False},
        {"pair_weight": "balanced", "margin": 1.0},
        {"centre_step": "relaxed"},
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
    params: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DFH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DFH, labels, bits=6, pairs=pairs, **params)
    p, C = loss.params, loss.centres.double().numpy().copy()
    b = sign(p.centre_weight * columns(labels, normalised=p.normalised_labels) @ C + outputs)
    balanced = p.pair_weight == "balanced"

    def formula(u: Array) -> float:
        others = outputs if pairs == "buffer" else u  # the buffer's side has no gradient
        m, eta = p.margin, p.quantisation
        return dfh(u, b, labels, others=others, m=m, eta=eta, balanced=balanced)

    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(formula(outputs), rel=1e-6)
    np.testing.assert_allclose(result.gradient, differences(formula, outputs), atol=1e-6)


def test_the_buffer_holds_the_newest_outputs_and_leaves_out_images_not_seen(
    outputs: Array, labels: Array, set_up: Callable[..., DFH]
) -> None:
    loss = set_up(DFH, labels, bits=6, quantisation=0.0).double()
    y, terms = torch.tensor(labels), None
    for places in ([0, 1, 2, 3], [1, 6]):
        u = torch.tensor(outputs[places])
        terms = loss(HashBatch(u, u, y[places], torch.tensor(places), 0.0))
    assert terms is not None
    seen = [1, 6, 0, 2, 3]  # the batch first, as `dfh` takes labels of both sides from one list
    expected = dfh(
        *(outputs[[1, 6]], outputs[[1, 6]], labels[seen]),
        **{"others": outputs[seen], "m": 0.0, "eta": 0.0, "balanced": False},
    )
    assert terms.total.item() == pytest.approx(expected, rel=1e-6)


def test_without_a_margin_it_is_the_plain_likelihood(
    outputs: Array, single_labels: Array, set_up: Callable[..., DFH], run: Callable[..., Any]
) -> None:
    theta = outputs @ outputs.T / 2
    similar = single_labels @ single_labels.T > 0
    expected = float(np.mean(np.log(1 + np.exp(theta)) - similar * theta))
    result = run(set_up(DFH, single_labels, bits=6), outputs, single_labels)
    assert result.terms["pair"] == pytest.approx(expected)


def test_codes_follow_centres_where_outputs_are_weaker_than_they(
    set_up: Callable[..., DFH], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0, 0.0]])
    loss = set_up(DFH, labels, bits=4, centre_weight=0.5)
    centre = loss.centres[0].double().numpy().copy()
    u = np.array([-0.4, 0.4, -0.6, 0.6]) * centre  # only the third is against its centre by > 0.5
    expected = centre * [1, 1, -1, 1]
    result = run(loss, u[None], labels)
    assert result.terms["quantisation"] == pytest.approx(np.mean((expected - u) ** 2))


def test_an_image_without_a_label_has_its_own_sign_as_code(
    set_up: Callable[..., DFH], run: Callable[..., Any]
) -> None:
    result = run(set_up(DFH, np.zeros((1, 2)), bits=4), np.full((1, 4), -0.25), np.zeros((1, 2)))
    assert result.terms["quantisation"] == pytest.approx(0.75**2)


def test_labels_of_an_image_with_several_count_less_each_if_normalised(
    outputs: Array, set_up: Callable[..., DFH], run: Callable[..., Any]
) -> None:
    labels, terms = np.tile([1.0, 1.0, 0.0, 0.0], (8, 1)), []
    for normalised in (True, False):
        loss = set_up(DFH, labels, bits=6, normalised_labels=normalised)
        vote = loss.centres.double().numpy()[:2].sum(0) / (2 if normalised else 1)
        terms.append(run(loss, outputs, labels).terms["quantisation"])
        assert terms[-1] == pytest.approx(np.mean((sign(vote + outputs) - outputs) ** 2))
    assert terms[0] < terms[1]


def objective(C: Array, Y: Array, B: Array, nu: float) -> float:
    """What the discrete centre step minimises, by definition."""
    apart = sum(C[c] @ C[d] for c in range(len(C)) for d in range(len(C)) if c != d)
    return float(((B - Y @ C) ** 2).sum() + nu * apart)


def swept(C: Array, Y: Array, B: Array, nu: float) -> Array:
    """Class after class, bit after bit: the better of both values, the old one of equals."""
    result = C.copy()
    for place in np.ndindex(C.shape):
        old, values = result[place], []
        for value in (old, -old):
            result[place] = value
            values.append(objective(result, Y, B, nu))
        result[place] = old if values[0] <= values[1] + 1e-9 else -old
    return result


@pytest.fixture(params=range(4))
def problem(request: pytest.FixtureRequest, labels: Array) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(request.param)
    centres = rng.choice([-1.0, 1.0], (labels.shape[1], 5))
    return centres, columns(labels), rng.choice([-1.0, 1.0], (8, 5))


def sweep(C: Array, Y: Array, B: Array, nu: float) -> Array:
    centres, labels, codes = (torch.tensor(x) for x in (C, Y, B))
    return swept_centres(centres, labels, codes=codes, separation=nu).numpy()


@pytest.mark.parametrize("nu", [0.0, 1.0, 2.5])
def test_each_centre_in_turn_becomes_its_best(
    problem: tuple[Array, Array, Array], nu: float
) -> None:
    given = problem[0].copy()
    np.testing.assert_array_equal(sweep(*problem, nu), swept(*problem, nu))
    np.testing.assert_array_equal(problem[0], given)


@pytest.mark.parametrize("nu", [0.0, 1.0, 2.5])
def test_no_centre_step_raises_the_objective_and_centres_come_to_rest(
    problem: tuple[Array, Array, Array], nu: float
) -> None:
    centres, Y, B = problem
    values = [objective(centres, Y, B, nu)]
    for _ in range(12):
        centres = sweep(centres, Y, B, nu)
        values.append(objective(centres, Y, B, nu))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))
    assert values[-1] == values[-2] <= values[0]


@pytest.mark.parametrize("normalised", [True, False])
def test_a_step_moves_the_centres_with_its_batch_for_the_next_one(
    *,
    normalised: bool,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DFH],
    run: Callable[..., Any],
) -> None:
    loss = set_up(DFH, labels, bits=6, normalised_labels=normalised)
    C = loss.centres.double().numpy().copy()
    Y = columns(labels, normalised=normalised)
    for _ in range(3):
        B = sign(Y @ C + outputs)
        assert run(loss, outputs, labels).terms["quantisation"] == pytest.approx(
            np.mean((B - outputs) ** 2)
        )
        C = swept(C, Y, B, 1.0)
        np.testing.assert_array_equal(loss.centres.numpy(), C)


def relaxed_objective(V: Array, Y: Array, B: Array, *, nu: float, rho: float) -> float:
    classes, bits = V.shape
    target = np.array([[bits if c == d else -bits for d in range(classes)] for c in range(classes)])
    return float(
        np.mean((Y @ V - B) ** 2)
        + nu * np.mean((V @ V.T - target) ** 2)
        + rho * np.mean((V - sign(V)) ** 2)
    )


def test_the_relaxed_step_descends_the_public_version_s_objective(
    labels: Array, differences: Callable[..., Array]
) -> None:
    rng = np.random.default_rng(1)
    Y, B, V = labels, rng.choice([-1.0, 1.0], (8, 5)), rng.normal(size=(labels.shape[1], 5))
    found = descended_centres(
        *(torch.tensor(x) for x in (V, Y)),
        **{"codes": torch.tensor(B), "separation": 0.2, "quantisation": 0.6},
    ).numpy()
    expected, step = V, 0.03
    for number in range(1, 201):
        step = step / 10 if number in (150, 180) else step
        slope = differences(lambda v: relaxed_objective(v, Y, B, nu=0.2, rho=0.6), expected)
        expected = expected - step * slope
    np.testing.assert_allclose(found, expected, atol=1e-6)
    before, after = (relaxed_objective(v, Y, B, nu=0.2, rho=0.6) for v in (V, found))
    assert after < before


@pytest.mark.parametrize(("classes", "bits"), [(2, 64), (2, 256), (4, 128), (6, 128), (10, 256)])
def test_relaxed_centres_stay_finite_where_a_step_of_three_hundredths_diverges(
    *, classes: int, bits: int
) -> None:
    rng = np.random.default_rng(0)
    V = torch.tensor(rng.choice([-1.0, 1.0], (classes, bits)))
    Y = torch.tensor(np.eye(classes)[rng.integers(classes, size=64)])
    B = torch.tensor(rng.choice([-1.0, 1.0], (64, bits)))
    for _ in range(3):
        V = descended_centres(V, Y, codes=B, separation=1.0, quantisation=1.0)
    assert float(V.abs().max()) < 3


def test_the_relaxed_step_keeps_its_real_values_and_uses_their_signs(
    outputs: Array, labels: Array, set_up: Callable[..., DFH], run: Callable[..., Any]
) -> None:
    loss = set_up(DFH, labels, bits=6, **DFH.Params.presets["deephash"])
    V, C = (loss.state_dict()[name].double().clone() for name in ("relaxed", "centres"))
    np.testing.assert_array_equal(V, C)
    B = torch.tensor(sign(0.1 * labels @ C.numpy() + outputs))
    run(loss, outputs, labels)
    expected = descended_centres(V, torch.tensor(labels), codes=B, separation=1.0, quantisation=1.0)
    np.testing.assert_allclose(loss.relaxed, expected, atol=1e-9)
    np.testing.assert_array_equal(loss.centres, sign(expected.numpy()))
    assert "relaxed" not in set_up(DFH, labels, bits=6).state_dict()


def test_centres_that_do_not_exist_at_a_code_length_are_refused() -> None:
    params = DFH.Params(centres="hadamard")
    settings = LossBench(DFH, params).trial.settings
    assert DFH.refusals(params, bits=32, settings=settings) == []
    [line] = DFH.refusals(params, bits=48, settings=settings)
    assert "power of two" in line
