"""Discrete coordinate descent against trying both values of every bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.discrete_codes import coordinate_sweep

Array = NDArray[np.float64]
IMAGES, BITS, SAMPLED = 7, 5, 4


def objective(codes: Array, embeddings: Array, similarity: Array) -> float:
    """||U B^T - K S||^2, by definition."""
    return float(((embeddings @ codes.T - BITS * similarity) ** 2).sum())


def best_bits(codes: Array, bit: int, embeddings: Array, similarity: Array) -> Array:
    """The minimiser of one column, image by image, by trying both values."""
    result = codes.copy()
    for image in range(len(codes)):
        values = []
        for sign in (-1.0, 1.0):
            tried = result.copy()
            tried[image, bit] = sign
            values.append(objective(tried, embeddings, similarity))
        result[image, bit] = (-1.0, 1.0)[int(np.argmin(values))]
    return result


@pytest.fixture(params=range(5))
def problem(request: pytest.FixtureRequest) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(request.param)
    codes = rng.choice([-1.0, 1.0], (IMAGES, BITS))
    similarity = rng.choice([1.0, 0.8, -0.1], (SAMPLED, IMAGES))
    return codes, np.tanh(rng.normal(size=(SAMPLED, BITS))), similarity


def sweep(codes: Array, embeddings: Array, similarity: Array) -> Array:
    linear = BITS * similarity.T @ embeddings
    quadratic = embeddings.T @ embeddings
    return coordinate_sweep(*(torch.tensor(x) for x in (codes, linear, quadratic))).numpy()


def test_each_bit_in_turn_becomes_its_best_value(problem: tuple[Array, Array, Array]) -> None:
    codes, embeddings, similarity = problem
    expected = codes
    for bit in range(BITS):
        expected = best_bits(expected, bit, embeddings, similarity)
    np.testing.assert_array_equal(sweep(codes, embeddings, similarity), expected)


def test_sweeps_never_raise_the_objective_and_come_to_rest(
    problem: tuple[Array, Array, Array],
) -> None:
    codes, embeddings, similarity = problem
    values = [objective(codes, embeddings, similarity)]
    for _ in range(10):
        codes = sweep(codes, embeddings, similarity)
        values.append(objective(codes, embeddings, similarity))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(values))
    assert values[-1] == values[-2] < values[0]


def test_a_bit_that_may_be_either_keeps_its_value_and_the_codes_given_are_left_alone() -> None:
    codes = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    given = codes.clone()
    found = coordinate_sweep(codes, torch.zeros(2, 2), torch.zeros(2, 2))
    assert torch.equal(found, given)
    assert found is not codes
    coordinate_sweep(codes, -codes, torch.eye(2))
    assert torch.equal(codes, given)
