"""DSH against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.params import resolve_params
from hashbench.methods.losses.dsh import DSH

Array = NDArray[np.float64]


def dsh(
    u: Array,
    y: Array,
    *,
    others: tuple[Array, Array] | None = None,
    a: float = 0.01,
    margin: float,
    balanced: bool = False,
    over_bits: Callable[[Array], float] = sum,
) -> float:
    similar, dissimilar = [], []
    for u_i, y_i in zip(u, y, strict=True):
        for u_j, y_j in zip(*(others or (u, y)), strict=True):
            d = sum((u_i - u_j) ** 2)
            if y_i @ y_j > 0:
                similar.append(0.5 * d)
            else:
                dissimilar.append(0.5 * max(margin - d, 0))
    pair = float(np.mean(similar + dissimilar))
    if balanced:
        pair = float(np.mean(similar) + np.mean(dissimilar))
    penalty = np.mean([over_bits(abs(abs(row) - 1)) for row in u])
    return pair + 2 * a * float(penalty)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {"margin": 12.0}),
        ({"quantisation": 0.3}, {"margin": 12.0, "a": 0.3}),
        ({"margin_per_bit": 0.9}, {"margin": 5.4}),
        ({"pair_weight": "balanced"}, {"margin": 12.0, "balanced": True}),
        (
            {"bit_reduction": "mean", "quantisation": 0.3},
            {"margin": 12.0, "a": 0.3, "over_bits": np.mean},
        ),
    ],
)
@pytest.mark.parametrize("pairs", ["batch", "buffer"])
def test_value_and_gradient_follow_the_formula(
    *,
    pairs: str,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DSH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    others = (outputs.copy(), labels) if pairs == "buffer" else None  # constants in a buffer
    result = run(set_up(DSH, labels, bits=6, pairs=pairs, **params), outputs, labels)
    assert result.total == pytest.approx(dsh(outputs, labels, others=others, **options), rel=1e-10)
    expected = differences(lambda u: dsh(u, labels, others=others, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_the_deephash_preset_penalises_by_a_tenth_of_the_mean_over_all_entries(
    outputs: Array, labels: Array, set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    params = resolve_params(DSH.Params, preset="deephash", params={})
    loss, second = set_up(DSH, labels, bits=6, **params), [7, 5]
    run(loss, outputs[:3], labels[:3])
    result = run(loss, outputs[second], labels[second], positions=second)
    seen = [0, 1, 2, 5, 7]
    pair = dsh(
        outputs[second], labels[second], others=(outputs[seen], labels[seen]), margin=12.0, a=0.0
    )
    penalty = 0.1 * np.mean(abs(abs(outputs[second]) - 1))
    assert result.total == pytest.approx(pair + penalty, rel=1e-10)


def test_images_not_seen_yet_do_not_push_outputs_away_from_the_origin(
    set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    loss = set_up(DSH, np.eye(5), bits=4, pairs="buffer", quantisation=0.0)
    result = run(loss, np.full((1, 4), 0.1), np.eye(5)[[3]], positions=[3])
    assert result.total == 0
    assert not result.gradient.any()


def test_parameters_of_the_first_fits_are_resolved_as_they_were() -> None:
    recorded = {"margin_per_bit": 2.0, "quantisation": 0.01, "pair_weight": "none"}
    for preset in (None, "paper"):
        assert resolve_params(DSH.Params, preset=preset, params={}) == recorded


def test_the_margin_is_two_a_bit_on_the_squared_distance(
    set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(DSH, labels, bits=4)
    binary = np.ones((2, 4))
    binary[1, :2] = -1  # two of four bits differ: squared distance 8 = 2 * 4 bits
    assert run(loss, binary, labels).total == 0
    binary[1, 0] = 1  # one bit: squared distance 4, hinge 4, half of it in 2 of 4 pairs
    assert run(loss, binary, labels).total == pytest.approx(1)


def test_the_penalty_alone_has_a_gradient_towards_plus_and_minus_one(
    set_up: Callable[..., DSH], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 1))
    result = run(set_up(DSH, labels, bits=4), np.array([[0.5, 1.5, -0.5, -1.5]]), labels)
    np.testing.assert_allclose(result.gradient, [[-0.02, 0.02, 0.02, -0.02]])
