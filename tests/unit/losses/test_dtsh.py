"""DTSH against its formula, written as loops over anchors, positives and negatives."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from hashbench.core.params import resolve_params
from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.dtsh import DTSH

Array = NDArray[np.float64]


def dtsh(
    u: Array, y: Array, *, half: bool = True, margin: float = 5.0, penalty: float = 1.0
) -> float:
    n, scale = len(u), 0.5 if half else 1.0
    anchors = []
    for i in range(n):
        theta = [scale * float(u[i] @ u[j]) for j in range(n)]
        positives = [j for j in range(n) if j != i and y[i] @ y[j] > 0]
        negatives = [j for j in range(n) if j != i and y[i] @ y[j] == 0]
        if positives and negatives:
            zs = [theta[p] - theta[q] - margin for p in positives for q in negatives]
            anchors.append(np.mean([log(1 + exp(-z)) for z in zs]))
    sign = np.where(u >= 0, 1.0, -1.0)
    return float(np.mean(anchors) if anchors else 0) + penalty * float(np.mean((u - sign) ** 2))


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"half": False, "margin": 2.0}, {"half": False, "margin": 2.0}),
        ({"margin": None}, {"margin": 3.0}),  # half of 6 bits
        ({"quantisation": 0.2}, {"penalty": 0.2}),
        (DTSH.Params.presets["authors"], {"margin": 3.0, "penalty": 6 / 225}),
        (DTSH.Params.presets["deephash"], {"half": False}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DTSH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    result = run(set_up(DTSH, labels, bits=6, **params), outputs, labels)
    assert result.total == pytest.approx(dtsh(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: dtsh(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_the_formula_holds_where_most_pairs_are_positive(
    outputs: Array, set_up: Callable[..., DTSH], run: Callable[..., Any], differences: Any
) -> None:
    labels = np.eye(2)[[0, 0, 0, 0, 0, 0, 1, 1]]  # 32 positive pairs, 24 negative ones
    result = run(set_up(DTSH, labels, bits=6), outputs, labels)
    assert result.total == pytest.approx(dtsh(outputs, labels), rel=1e-10)
    expected = differences(lambda u: dtsh(u, labels), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_one_triplet_worked_out_by_hand(
    set_up: Callable[..., DTSH], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    codes = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, -1.0]])
    # Inner products: 0-1 is 2, 0-2 is -2, 1-2 is 0. Image 2 has no positive and is no anchor.
    result = run(set_up(DTSH, labels, bits=4, margin=1.0), codes, labels)
    z = [0.5 * (2 - -2) - 1, 0.5 * (2 - 0) - 1]
    assert result.total == pytest.approx(sum(log(1 + exp(-value)) for value in z) / 2)


def test_an_image_is_not_its_own_positive(
    outputs: Array, set_up: Callable[..., DTSH], run: Callable[..., Any]
) -> None:
    labels = np.eye(8)
    assert run(set_up(DTSH, labels, bits=6), outputs, labels).terms["triplet"] == 0


def test_without_any_triplet_only_the_quantisation_term_is_left(
    outputs: Array, set_up: Callable[..., DTSH], run: Callable[..., Any]
) -> None:
    sign = np.where(outputs >= 0, 1.0, -1.0)
    for labels in (np.eye(8), np.ones((8, 2)), np.zeros((8, 2))):
        result = run(set_up(DTSH, labels, bits=6), outputs, labels)
        assert result.total == pytest.approx(np.mean((outputs - sign) ** 2))
        np.testing.assert_allclose(result.gradient, 2 * (outputs - sign) / outputs.size)


def test_an_unlabelled_image_is_a_negative_of_all_and_an_anchor_of_none(
    set_up: Callable[..., DTSH], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0], [1.0], [0.0]])
    far = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    loss = set_up(DTSH, labels, bits=2, margin=0.0)
    assert run(loss, far, labels).total == pytest.approx(log(1 + exp(-2)))


def test_the_presets_differ_in_the_half_and_in_what_follows_the_code_length() -> None:
    authors, deephash = (
        resolve_params(DTSH.Params, preset=name, params={}) for name in ("authors", "deephash")
    )
    assert authors == {"half": True, "margin": None, "quantisation": None}
    assert deephash == {"half": False, "margin": 5.0, "quantisation": 1.0}


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation returns."""

    size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.size = max(self.size, result.numel())
        return result


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        (np.eye(8)[np.arange(32) % 8], 32 * 3),  # 3 positives an anchor
        (np.eye(2)[(np.arange(32) == 0).astype(int)], 31),  # the positives outnumber: 31 negatives
    ],
    ids=["few positives", "few negatives"],
)
def test_no_tensor_is_larger_than_the_rarer_pairs_by_the_batch(
    labels: Array, rows: int, set_up: Callable[..., DTSH]
) -> None:
    n, bits = 32, 64
    u = torch.randn(n, bits, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = torch.tensor(labels, dtype=torch.float32)
    loss = set_up(DTSH, labels, bits=bits)
    with LargestTensor() as largest:
        loss(HashBatch(u, u, y, torch.arange(n), 0.0)).total.backward()
    assert largest.size <= max(rows * n, n * bits)
