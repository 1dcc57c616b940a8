"""DPN against its formula in both multi-label forms, and its adaptive centres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.methods.losses.dpn import DPN

Array = NDArray[np.float64]


def merged_targets(y: Array, *, centres: Array, tie: Array) -> list[Array]:
    votes = sum(centres[c] for c in np.flatnonzero(y))
    return [np.where(votes == 0, tie, np.sign(votes))]


def dpn(
    u: Array,
    y: Array,
    *,
    centres: Array,
    tie: Array,
    merge: bool = True,
    mean: bool = False,
    margin: float = 1.0,
    regulariser: float = 0.0,
) -> float:
    losses, squares = [], []
    for u_i, y_i in zip(u, y, strict=True):
        if y_i.sum() == 0:
            continue
        targets = [centres[c] for c in np.flatnonzero(y_i)]
        if merge:
            targets = merged_targets(y_i, centres=centres, tie=tie)
        loss = 0.0
        for t in targets:
            for u_ik, t_k in zip(u_i, t, strict=True):
                loss += max(margin - u_ik * t_k, 0)
        losses.append(loss / len(u_i) if mean else loss)
        squares.append(u_i**2)
    return float(np.mean(losses) + regulariser * np.mean(squares))


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"multilabel": "sum"}, {"merge": False}),
        ({"bit_reduction": "mean", "margin": 0.6}, {"mean": True, "margin": 0.6}),
        ({"regulariser": 0.1, "multilabel": "sum"}, {"merge": False, "regulariser": 0.1}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., DPN],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(DPN, labels, bits=6, **params)
    made = {"centres": loss.centres.double().numpy(), "tie": loss.tie.double().numpy()}
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(dpn(outputs, labels, **made, **options), rel=1e-10)
    expected = differences(lambda u: dpn(u, labels, **made, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


def test_both_multilabel_forms_agree_on_single_labels(
    outputs: Array, single_labels: Array, set_up: Callable[..., DPN], run: Callable[..., Any]
) -> None:
    merge, total = (
        run(set_up(DPN, single_labels, bits=6, multilabel=form), outputs, single_labels).total
        for form in ("merge", "sum")
    )
    assert merge == pytest.approx(total)


def test_outputs_inside_the_margin_are_trained_too(
    set_up: Callable[..., DPN], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 1))
    loss = set_up(DPN, labels, bits=4)
    target = loss.centres.double().numpy()
    np.testing.assert_allclose(run(loss, 0.1 * target, labels).gradient, -target)


class Outputs:
    def __init__(self, values: Array) -> None:
        self.values = values

    def outputs(self) -> Tensor:
        return torch.tensor(self.values, dtype=torch.float32)

    def features(self) -> Tensor:
        raise AssertionError("the centre update looks at outputs only")


def updated(u: Array, y: Array, *, centres: Array, rate: float) -> Array:
    """The update by hand, for classes whose new centres differ from all others."""
    result = centres.copy()
    codes = np.where(u >= 0, 1.0, -1.0)
    for c, centre in enumerate(centres):
        members = [code for code, label in zip(codes, y, strict=True) if label[c] == 1]
        if members:
            members.sort(key=lambda code: int((code != centre).sum()))
            nearest = members[: max(1, round(rate * len(members)))]
            result[c] = np.where(np.mean(nearest, axis=0) >= 0, 1.0, -1.0)
    return result


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0])
def test_adaptive_centres_become_the_majority_of_the_nearest_images(
    rate: float, multi_labels: Array, set_up: Callable[..., DPN]
) -> None:
    labels = np.tile(multi_labels, (5, 1))
    labels = np.hstack([labels, np.zeros((len(labels), 1))])  # a class without images
    u = np.random.default_rng(2).normal(size=(len(labels), 32))
    loss = set_up(DPN, labels, bits=32, update_rate=rate)
    before = loss.centres.double().numpy().copy()
    expected = updated(u, labels, centres=before, rate=rate)
    loss.end_epoch(0, Outputs(u))
    assert (expected != before).any()
    np.testing.assert_array_equal(loss.centres.numpy(), expected)
    np.testing.assert_array_equal(loss.centres.numpy()[-1], before[-1])


def test_an_update_never_gives_two_classes_one_centre(
    single_labels: Array, set_up: Callable[..., DPN]
) -> None:
    loss = set_up(DPN, single_labels, bits=8, update_rate=1.0)
    loss.end_epoch(0, Outputs(np.ones((len(single_labels), 8))))  # a constant code
    assert len({tuple(row) for row in loss.centres.tolist()}) == 3
    assert [1.0] * 8 in loss.centres.tolist()


def test_centres_are_fixed_by_default(single_labels: Array, set_up: Callable[..., DPN]) -> None:
    loss = set_up(DPN, single_labels, bits=8)
    before = loss.centres.clone()
    loss.end_epoch(0, Outputs(np.random.default_rng(0).normal(size=(8, 8))))
    assert torch.equal(loss.centres, before)
