"""Softened label similarity against its matrix, entry by entry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses import adsh
from hashbench.methods.losses.adsh import LabelSimilarity

Array = NDArray[np.float64]
ROWS = [6, 0, 3, 2, 5]
BITS = 4


def matrix(y: Array, *, rows: list[int], r: float) -> Array:
    """S of some rows by definition."""
    return np.array([[1.0 if y[i] @ y_j > 0 else -r for y_j in y] for i in rows])


def similarity(y: Array, *, r: float = 0.3, block: int = 2) -> LabelSimilarity:
    return LabelSimilarity(
        labels=torch.tensor(y),
        dissimilar=torch.tensor(r, dtype=torch.float64),
        single_label=bool((y.sum(1) <= 1).all()),
        block=block,
    )


@pytest.fixture
def single_labels() -> Array:
    """Three classes and, last but one, an image without a label."""
    return np.vstack([np.eye(3)[[0, 1, 2, 0, 1, 0]], np.zeros((1, 3)), np.eye(3)[[2]]])


def test_rows_follow_the_definition(labels: Array) -> None:
    found = similarity(labels).rows(torch.tensor(ROWS))
    np.testing.assert_array_equal(found, matrix(labels, rows=ROWS, r=0.3))


@pytest.mark.parametrize("block", [1, 2, 5, 64])
def test_the_fast_product_equals_the_one_with_the_dense_matrix(labels: Array, block: int) -> None:
    U = np.random.default_rng(0).normal(size=(len(ROWS), BITS))
    found = similarity(labels, block=block).transposed_product(torch.tensor(ROWS), torch.tensor(U))
    np.testing.assert_allclose(found, matrix(labels, rows=ROWS, r=0.3).T @ U, atol=1e-12)


def test_the_product_of_no_rows_is_zero(labels: Array) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    found = similarity(labels).transposed_product(none, torch.zeros(0, BITS, dtype=torch.float64))
    np.testing.assert_array_equal(found, np.zeros((len(labels), BITS)))


def test_the_product_never_makes_more_rows_than_a_block(
    multi_labels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    original: Callable[..., torch.Tensor] = adsh.similar_pairs

    def counted(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        made.append(len(left))
        return original(left, right)

    monkeypatch.setattr(adsh, "similar_pairs", counted)
    found = similarity(multi_labels, block=2)
    found.transposed_product(torch.tensor(ROWS), torch.ones(5, BITS, dtype=torch.float64))
    found.balancing_weight(torch.tensor(ROWS))
    assert made == [2, 2, 1, 2, 2, 1]


def test_negative_entries_weigh_as_much_as_positive_ones(labels: Array) -> None:
    r = float(similarity(labels).balancing_weight(torch.tensor(ROWS)))
    entries = matrix(labels, rows=ROWS, r=1.0)
    assert r == pytest.approx((entries == 1).sum() / (entries == -1).sum())
    assert matrix(labels, rows=ROWS, r=r).sum() == pytest.approx(0)


@pytest.mark.parametrize("columns", [1, 2])
def test_nothing_dissimilar_needs_no_weight(columns: int) -> None:
    assert float(similarity(np.ones((4, columns))).balancing_weight(torch.arange(4))) == 0


def test_pairs_are_counted_beyond_what_float32_can_hold() -> None:
    labels = torch.ones(5000, 1)
    labels[0] = 0  # similar to nothing: 4999 * 4999 similar entries, 9999 dissimilar ones
    found = LabelSimilarity(
        labels=labels, dissimilar=torch.tensor(0.0), single_label=True, block=100
    )
    assert float(found.balancing_weight(torch.arange(5000))) == np.float32(4999**2 / 9999)
