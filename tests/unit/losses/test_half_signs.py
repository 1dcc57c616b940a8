"""The bi-half layer, by sorting each column by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hashbench.methods.losses.bihalf import half_signs


def test_the_larger_half_of_each_column_is_plus_one_whatever_its_sign() -> None:
    u = torch.tensor([[-1.0, 5.0], [-2.0, 6.0], [-3.0, 9.0], [-4.0, 7.0]])
    assert half_signs(u, 6.0).tolist() == [[1, -1], [1, -1], [-1, 1], [-1, 1]]


@pytest.mark.parametrize(("rows", "positive"), [(1, 0), (2, 1), (3, 1), (7, 3), (8, 4)])
def test_floor_of_half_the_rows_is_plus_one(rows: int, positive: int) -> None:
    u = torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))
    assert (half_signs(u, 6.0) == 1).sum(0).tolist() == [positive] * 5


def test_of_equal_values_the_earlier_rows_are_plus_one() -> None:
    u = torch.zeros(300, 2)  # long enough for a sort that is not stable to mix them
    assert half_signs(u, 6.0)[:, 0].tolist() == [1.0] * 150 + [-1.0] * 150


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 100))
def test_no_minus_one_has_a_larger_value_than_a_plus_one(rows: int, bits: int, seed: int) -> None:
    u = np.random.default_rng(seed).integers(-2, 3, size=(rows, bits)).astype(np.float64)
    b = half_signs(torch.tensor(u), 1.0).numpy()
    assert set(np.unique(b)) <= {-1.0, 1.0}
    for column, signs in zip(u.T, b.T, strict=True):
        assert signs.sum() == (0 if rows % 2 == 0 else -1)
        if rows > 1:
            assert column[signs < 0].max() <= column[signs > 0].min()


@pytest.mark.parametrize("gamma", [0.0, 6.0])
def test_backward_is_the_gradient_of_b_and_the_pull_to_it(gamma: float) -> None:
    rng = np.random.default_rng(1)
    values, weights = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    u = torch.tensor(values, requires_grad=True)
    (half_signs(u, gamma) * torch.tensor(weights)).sum().backward()
    b = np.full((7, 3), -1.0)
    for k in range(3):
        b[sorted(range(7), key=lambda i: -values[i, k])[:3], k] = 1
    assert u.grad is not None
    np.testing.assert_allclose(u.grad, weights + gamma * (values - b) / 21, rtol=1e-12)


def test_no_rows_give_no_rows() -> None:
    u = torch.zeros(0, 4, requires_grad=True)
    half_signs(u, 6.0).sum().backward()
    assert u.grad is not None
    assert u.grad.shape == (0, 4)
