"""Unsupervised GreedyHash against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.greedyhash_unsupervised import GreedyHashUnsupervised

Array = NDArray[np.float64]


@pytest.fixture
def features() -> Array:
    return np.random.default_rng(11).normal(loc=2, size=(8, 5))


@pytest.fixture
def no_labels() -> Array:
    return np.zeros((8, 3))


def sign(u: Array) -> Array:
    return np.where(u >= 0, 1.0, -1.0)


def gap(b: Array, f: Array) -> float:
    half, gaps = len(b) // 2, []
    for i in range(half):
        j = i + half
        of_codes = b[i] @ b[j] / (np.linalg.norm(b[i]) * np.linalg.norm(b[j]))
        of_features = f[i] @ f[j] / (np.linalg.norm(f[i]) * np.linalg.norm(f[j]))
        gaps.append((of_codes - of_features) ** 2)
    return float(np.mean(gaps))


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize(("a", "p"), [(0.1, 3), (0.5, 2), (0.0, 3)])
def test_value_and_gradient_follow_the_formula(
    *,
    centre: bool,
    a: float,
    p: int,
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., GreedyHashUnsupervised],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(
        GreedyHashUnsupervised,
        no_labels,
        bits=6,
        features=features,
        centre=centre,
        quantisation=a,
        power=p,
    )
    f = features - features.mean(0) if centre else features
    result = run(loss, outputs, no_labels)
    penalty = a * np.mean(np.abs(np.abs(outputs) - 1) ** p)
    assert result.total == pytest.approx(gap(sign(outputs), f) + penalty, rel=1e-6)
    through_sign = differences(lambda b: gap(b, f), sign(outputs))
    pull = p * np.abs(np.abs(outputs) - 1) ** (p - 1) * np.sign(np.abs(outputs) - 1) * sign(outputs)
    expected = through_sign + a * pull / outputs.size
    np.testing.assert_allclose(result.gradient, expected, atol=1e-6)


def test_images_are_paired_with_those_half_a_batch_on(
    set_up: Callable[..., GreedyHashUnsupervised], run: Callable[..., Any]
) -> None:
    # Codes of rows 0 and 2, and of 1 and 3, are equal, and so are their features: no gap. Paired
    # as 0 with 1 and 2 with 3 there would be one.
    features = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    outputs = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]] * 2)
    labels = np.zeros((4, 2))
    loss = set_up(GreedyHashUnsupervised, labels, bits=3, features=features)
    assert run(loss, outputs, labels).total == pytest.approx(0, abs=1e-12)


def test_the_last_row_of_an_odd_batch_is_left_out(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., GreedyHashUnsupervised],
    run: Callable[..., Any],
) -> None:
    loss = set_up(GreedyHashUnsupervised, no_labels, bits=6, features=features)
    odd, even = (run(loss, outputs[:n], no_labels[:n]) for n in (7, 6))
    assert odd.total == even.total
    np.testing.assert_array_equal(odd.gradient[:6], even.gradient)
    assert not odd.gradient[6].any()


def test_a_batch_of_one_has_neither_loss_nor_gradient(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., GreedyHashUnsupervised],
    run: Callable[..., Any],
) -> None:
    loss = set_up(GreedyHashUnsupervised, no_labels, bits=6, features=features)
    alone = run(loss, outputs[:1], no_labels[:1])
    assert alone.total == 0
    assert not alone.gradient.any()


def test_labels_change_nothing(
    *,
    outputs: Array,
    features: Array,
    single_labels: Array,
    no_labels: Array,
    set_up: Callable[..., GreedyHashUnsupervised],
    run: Callable[..., Any],
) -> None:
    totals = {
        run(set_up(GreedyHashUnsupervised, y, bits=6, features=features), outputs, y).total
        for y in (single_labels, no_labels)
    }
    assert len(totals) == 1


def test_targets_stay_those_of_the_features_before_training(
    outputs: Array,
    features: Array,
    no_labels: Array,
    set_up: Callable[..., GreedyHashUnsupervised],
) -> None:
    loss = set_up(GreedyHashUnsupervised, no_labels, bits=6, features=features)
    u = torch.tensor(outputs, dtype=torch.float32)
    positions = [6, 1, 3, 0]
    batches = [
        HashBatch(u[:4], learned, torch.zeros(4, 3), torch.tensor(positions), 0.5)
        for learned in (torch.zeros(4, 9), torch.ones(4, 9))
    ]
    now, later = (float(loss(batch).terms["similarity"]) for batch in batches)
    f = features - features.mean(0)
    assert now == later == pytest.approx(gap(sign(outputs[:4]), f[positions]), rel=1e-5)
