"""The stable pieces: values against naive float64 formulas, and both ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hashbench.methods.building_blocks.primitives import (
    log_cosh,
    logit_nll,
    masked_mean,
    off_binary,
    sgn,
    softplus,
    squared_distances,
    straight_through_sgn,
    unit_rows,
)

MODERATE = torch.linspace(-8, 8, 33, dtype=torch.float64)
EXTREME = torch.tensor([-1e4, 0.0, 1e4])


def gradient(values: Tensor, at: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(values.sum(), at)
    return found


def test_sgn_of_zero_is_plus_one() -> None:
    assert sgn(torch.tensor([-2.0, -0.0, 0.0, 3.0])).tolist() == [-1, 1, 1, 1]


def test_straight_through_sgn_is_exactly_the_sign_and_passes_the_gradient_unclipped() -> None:
    values = torch.tensor([-1e30, -3.0, -0.1, 0.0, 0.1, 1e30], requires_grad=True)
    codes = straight_through_sgn(values)
    assert codes.tolist() == [-1, -1, -1, 1, 1, 1]
    slopes = torch.arange(1.0, 7.0)
    assert torch.equal(gradient(slopes * codes, values), slopes)


def test_softplus_is_the_naive_formula_for_moderate_values() -> None:
    expected = np.log(1 + np.exp(MODERATE.numpy()))
    np.testing.assert_allclose(softplus(MODERATE).numpy(), expected, rtol=1e-12)


def test_softplus_is_exact_at_both_ends_with_slope_one_half_at_zero() -> None:
    values = EXTREME.clone().requires_grad_()
    result = softplus(values)
    assert result.tolist() == pytest.approx([0, np.log(2), 1e4])
    assert gradient(result, values).tolist() == [0, 0.5, 1]


def test_log_cosh_is_the_naive_formula_for_moderate_values() -> None:
    expected = np.log(np.cosh(MODERATE.numpy()))
    np.testing.assert_allclose(log_cosh(MODERATE).numpy(), expected, atol=1e-14)


def test_log_cosh_is_finite_where_cosh_overflows() -> None:
    values = EXTREME.clone().requires_grad_()
    result = log_cosh(values)
    assert result.tolist() == pytest.approx([1e4 - np.log(2), 0, 1e4 - np.log(2)])
    assert gradient(result, values).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_logit_nll_is_the_bernoulli_likelihood(target: float) -> None:
    chance = 1 / (1 + np.exp(-MODERATE.numpy()))
    expected = -(target * np.log(chance) + (1 - target) * np.log(1 - chance))
    result = logit_nll(MODERATE, torch.full_like(MODERATE, target))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_logit_nll_of_a_certain_pair_is_the_logit_or_nothing() -> None:
    wrong = logit_nll(EXTREME, torch.tensor([True, True, False]))
    assert wrong.tolist() == pytest.approx([1e4, np.log(2), 1e4])
    right = logit_nll(EXTREME, torch.tensor([False, True, True]))
    assert right.tolist() == pytest.approx([0, np.log(2), 0])


def test_off_binary_is_zero_at_plus_and_minus_one_and_pulls_from_both_sides() -> None:
    values = torch.tensor([-2.0, -0.5, 0.5, 2.0], requires_grad=True)
    assert off_binary(torch.tensor([-1.0, 1.0])).tolist() == [0, 0]
    assert gradient(off_binary(values), values).tolist() == [-1, 1, -1, 1]
    assert off_binary(values, 3).tolist() == [1, 0.125, 0.125, 1]


def test_squared_distances_are_those_of_the_differences() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))
    expected = [[sum((a - b) ** 2) for b in right] for a in left]
    result = squared_distances(torch.tensor(left), torch.tensor(right))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)


def test_squared_distances_of_equal_large_rows_are_never_negative() -> None:
    rows = torch.full((3, 64), 1234.567).repeat(20, 1) + torch.rand(60, 1)
    assert bool((squared_distances(rows, rows) >= 0).all())


def test_unit_rows_have_norm_one_and_a_zero_row_stays_zero_without_gradient() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    result = unit_rows(rows)
    torch.testing.assert_close(result, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert gradient(result * torch.tensor([1.0, 2.0]), rows)[1].tolist() == [0, 0]


def test_masked_mean_counts_what_the_mask_selects() -> None:
    values = torch.tensor([[1.0, float("nan")], [3.0, 5.0]])
    mask = torch.tensor([[True, False], [True, True]])
    assert float(masked_mean(values, mask)) == 3


def test_masked_mean_of_nothing_is_zero_with_a_zero_gradient() -> None:
    values = torch.ones(3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    assert mean.item() == 0
    assert gradient(mean, values).tolist() == [0, 0, 0]
