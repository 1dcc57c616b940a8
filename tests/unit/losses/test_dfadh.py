"""DFADH against its formula, written as loops over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.interface import HashBatch, LossContext
from hashbench.methods.losses.dfadh import DFADH

Array = NDArray[np.float64]


@pytest.fixture
def features() -> Array:
    return np.random.default_rng(11).normal(loc=3, size=(8, 5))


def label_similarity(y: Array, rho: float) -> Array:
    n = y.T @ y
    size = np.diag(n)
    R = np.array(
        [[n[c, d] / np.sqrt(size[c] * size[d]) for d in range(len(n))] for c in range(len(n))]
    )
    Rt = (1 - rho) * np.eye(len(n)) + rho * R
    result = np.zeros((len(y), len(y)))
    for i, y_i in enumerate(y):
        for j, y_j in enumerate(y):
            if y_i.any() and y_j.any():
                result[i, j] = y_i @ Rt @ y_j / np.sqrt((y_i @ Rt @ y_i) * (y_j @ Rt @ y_j))
    return result


def corrected(y: Array, f: Array, *, rho: float, a_s: float, a_h: float) -> Array:
    g = f - f.mean(0)
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    of_labels = label_similarity(y, rho)
    of_features = np.maximum(g @ g.T, 0)
    a = a_h + 4 * (a_s - a_h) * of_labels * (1 - of_labels)
    return (1 - a) * of_labels + a * of_features


def dfadh(
    u: Array,
    y: Array,
    f: Array,
    *,
    rho: float = 0.3,
    a_s: float = 0.3,
    a_h: float = 0.05,
    lik: float = 1.0,
    beta: float = 5.0,
    q: float = 0.1,
    balanced: bool = True,
) -> float:
    h = np.tanh(u)
    S = corrected(y, f, rho=rho, a_s=a_s, a_h=a_h)
    sides: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    for i in range(len(u)):
        for j in range(len(u)):
            if i == j:
                continue
            s = bool(y[i] @ y[j] > 0)
            theta = 0.5 * h[i] @ h[j]
            nll = np.log1p(np.exp(theta)) - s * theta
            omega = S[i, j] if s else 1 - S[i, j]
            difference = (max(h[i] @ h[j] / u.shape[1], 0) - S[i, j]) ** 2
            sides[s if balanced else True].append((omega, nll, difference))
    total = q * np.mean((np.abs(h) - 1) ** 2)
    for pairs in sides.values():
        if pairs:
            omega, nll, difference = np.array(pairs).T
            total += lik * (omega @ nll) / omega.sum() + beta * difference.mean()
    return float(total)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"cooccurrence": 0.0}, {"rho": 0.0}),
        ({"ambiguous_correction": 0.0, "certain_correction": 0.0}, {"a_s": 0.0, "a_h": 0.0}),
        ({"ambiguous_correction": 0.7, "certain_correction": 0.2}, {"a_s": 0.7, "a_h": 0.2}),
        ({"difference": 0.0, "quantisation": 0.4}, {"beta": 0.0, "q": 0.4}),
        ({"likelihood": 0.0, "difference": 1.0}, {"lik": 0.0, "beta": 1.0}),
        ({"pair_weight": "none"}, {"balanced": False}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    features: Array,
    labels: Array,
    set_up: Callable[..., DFADH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    result = run(set_up(DFADH, labels, bits=6, features=features, **params), outputs, labels)
    assert result.total == pytest.approx(dfadh(outputs, labels, features, **options), rel=1e-6)
    expected = differences(lambda u: dfadh(u, labels, features, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("no_cooccurrence", {"rho": 0.0}),
        ("no_features", {"a_s": 0.0, "a_h": 0.0}),
        ("likelihood_only", {"beta": 0.0}),
        ("difference_only", {"lik": 0.0}),
        ("unbalanced", {"balanced": False}),
    ],
)
def test_a_preset_is_the_ablation_it_names(
    *,
    preset: str,
    options: dict[str, Any],
    outputs: Array,
    features: Array,
    multi_labels: Array,
    set_up: Callable[..., DFADH],
    run: Callable[..., Any],
) -> None:
    loss = set_up(DFADH, multi_labels, bits=6, features=features, **DFADH.Params.presets[preset])
    expected = dfadh(outputs, multi_labels, features, **options)
    assert run(loss, outputs, multi_labels).total == pytest.approx(expected, rel=1e-6)


def test_a_batch_takes_the_features_of_its_own_images(
    outputs: Array, features: Array, multi_labels: Array, set_up: Callable[..., DFADH]
) -> None:
    loss = set_up(DFADH, multi_labels, bits=6, features=features)
    chosen = torch.tensor([6, 1, 3])
    labels = torch.tensor(multi_labels, dtype=torch.float32)
    whole = loss.corrected_similarity(labels, torch.arange(8))
    part = loss.corrected_similarity(labels[chosen], chosen)
    torch.testing.assert_close(part, whole[chosen][:, chosen])


def test_single_labels_are_corrected_by_five_per_cent(
    features: Array, single_labels: Array, set_up: Callable[..., DFADH]
) -> None:
    loss = set_up(DFADH, single_labels, bits=6, features=features)
    labels = torch.tensor(single_labels, dtype=torch.float32)
    S = loss.corrected_similarity(labels, torch.arange(8)).numpy()
    same = single_labels @ single_labels.T > 0
    assert S[same].min() >= 0.95
    assert S[~same].max() <= 0.05
    np.testing.assert_allclose(S, S.T, atol=1e-7)


def test_the_label_counts_are_those_of_the_whole_training_set(
    multi_labels: Array, set_up: Callable[..., DFADH]
) -> None:
    loss = set_up(DFADH, multi_labels, bits=6)
    n = multi_labels.T @ multi_labels
    expected = 0.3 * n[0, 1] / np.sqrt(n[0, 0] * n[1, 1])
    assert float(loss.cooccurrence[0, 1]) == pytest.approx(expected)


def test_an_image_alone_has_no_pair_and_only_its_quantisation_counts(
    set_up: Callable[..., DFADH], run: Callable[..., Any]
) -> None:
    labels = np.ones((1, 2))
    u = np.array([[0.5, -0.2, 1.0]])
    result = run(set_up(DFADH, labels, bits=3), u, labels)
    assert (result.terms["likelihood"], result.terms["difference"]) == (0, 0)
    assert result.total == pytest.approx(0.1 * np.mean((np.abs(np.tanh(u)) - 1) ** 2))


def test_without_features_it_cannot_be_set_up() -> None:
    ctx = LossContext(
        labels=torch.eye(3),
        bits=4,
        multilabel=False,
        epochs=1,
        batch_size=3,
        generator=torch.Generator(),
        device=torch.device("cpu"),
    )
    with pytest.raises(ValueError, match="features of the pre-pass"):
        DFADH(DFADH.Params()).setup(ctx)


def test_nothing_is_kept_in_a_checkpoint_and_a_step_changes_nothing(
    outputs: Array, multi_labels: Array, set_up: Callable[..., DFADH]
) -> None:
    loss = set_up(DFADH, multi_labels, bits=6)
    kept = {name: value.clone() for name, value in loss.named_buffers()}
    assert set(kept) == {"cooccurrence", "directions"}
    assert loss.state_dict() == {}
    u = torch.tensor(outputs, dtype=torch.float32, requires_grad=True)
    y = torch.tensor(multi_labels, dtype=torch.float32)
    loss(HashBatch(u, u, y, torch.arange(8), 0.0)).total.backward()
    assert all(torch.equal(value, kept[name]) for name, value in loss.named_buffers())
