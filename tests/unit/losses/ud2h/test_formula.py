"""UD2H's value and gradients against its formula, during and after the warm-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.methods.interface import HashBatch, LossContext
from hashbench.methods.losses.ud2h import UD2H, usual_clusters

Array = NDArray[np.float64]
IMAGES, BITS, CLUSTERS = 36, 6, 4


def numbers(value: Tensor) -> Array:
    return value.detach().double().numpy()


def ud2h(
    u: Array,
    *,
    S: Array,
    codes: Array,
    indices: Array,
    gamma: float = 200.0,
    lam: float = 0.0,
    p: Array | None = None,
    q: Array | None = None,
) -> float:
    h, bits = np.tanh(u), u.shape[1]
    total = 0.0
    for row, i in zip(h, indices, strict=True):
        for j, b in enumerate(codes):
            total += (row @ b - bits * S[i, j]) ** 2
        total += gamma * ((row - codes[i]) ** 2).sum()
    total /= len(u) * len(codes) * bits**2
    if p is not None and q is not None:
        total += lam * (p * np.log(p / q)).sum() / len(u)
    return float(total)


def run(loss: UD2H, u: Array, indices: Tensor) -> tuple[float, Array]:
    outputs = torch.tensor(u, dtype=torch.float64, requires_grad=True)
    batch = HashBatch(outputs, outputs, torch.zeros(len(u), 2), indices, 0.0)
    total = loss.double()(batch).total
    total.backward()
    assert outputs.grad is not None
    return total.item(), outputs.grad.numpy()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"code": 3.0},
        {"neighbours": 0},
        {"same_cluster": 0.0},
        {"neighbours": 6, "same_cluster": 0.3},
    ],
)
def test_value_and_gradient_follow_the_formula_during_the_warm_up(
    *,
    params: dict[str, Any],
    features: Array,
    training: Callable[..., Any],
    differences: Callable[..., Array],
    dense_similarity: Callable[..., Array],
) -> None:
    loss = training(**params).begin().loss
    indices = loss.epoch_indices(0)[[4, 0, 11, 7]]
    S = dense_similarity(
        features,
        numbers(loss.clusters),
        k=loss.params.neighbours,
        beta=loss.params.same_cluster,
        rows=loss.sampled.numpy(),
    )
    u = np.random.default_rng(5).normal(size=(4, BITS))

    def formula(u: Array) -> float:
        codes = numbers(loss.codes)
        gamma = loss.params.code
        return ud2h(u, S=S, codes=codes, indices=indices.numpy(), gamma=gamma)

    value, gradient = run(loss, u, indices)

    assert value == pytest.approx(formula(u), rel=1e-6)
    np.testing.assert_allclose(gradient, differences(formula, u), atol=1e-6)
    assert loss.centres.grad is None


def test_value_and_both_gradients_follow_the_formula_after_the_warm_up(
    *,
    features: Array,
    training: Callable[..., Any],
    differences: Callable[..., Array],
    dense_similarity: Callable[..., Array],
    soft: Callable[..., Array],
    target: Callable[..., Array],
) -> None:
    made = training(clustering=0.7, warm_up=1).begin()
    made.train(range(2))
    loss, h = made.loss, np.tanh(numbers(made.outputs()))
    loss.begin_epoch(2)
    indices = loss.epoch_indices(2)[[4, 0, 11, 7]]
    S = dense_similarity(features, numbers(loss.clusters), k=3, beta=0.8, rows=loss.sampled.numpy())
    mu, codes = numbers(loss.centres), numbers(loss.codes)
    p = target(soft(h, mu), soft(h, mu).sum(0))[indices.numpy()]
    u = np.random.default_rng(5).normal(size=(4, BITS))

    def formula(u: Array, mu: Array) -> float:
        q = soft(np.tanh(u), mu)
        return ud2h(u, S=S, codes=codes, indices=indices.numpy(), lam=0.7, p=p, q=q)

    value, gradient = run(loss, u, indices)

    assert value == pytest.approx(formula(u, mu), rel=1e-5)
    np.testing.assert_allclose(gradient, differences(lambda x: formula(x, mu), u), atol=1e-6)
    expected = differences(lambda x: formula(u, x), mu)
    assert loss.centres.grad is not None
    np.testing.assert_allclose(loss.centres.grad.numpy(), expected, atol=1e-6)


def test_the_symmetric_ablation_compares_the_pairs_of_a_batch(
    features: Array,
    training: Callable[..., Any],
    differences: Callable[..., Array],
    dense_similarity: Callable[..., Array],
) -> None:
    made = training(asymmetric=False).begin()
    loss = made.loss
    indices = loss.epoch_indices(0)[[4, 0, 11, 7]]
    rows = indices.numpy()
    S = dense_similarity(features, numbers(loss.clusters), k=3, beta=0.8, rows=loss.sampled.numpy())
    u = np.random.default_rng(5).normal(size=(4, BITS))

    def formula(u: Array) -> float:
        h = np.tanh(u)
        return float(np.mean((h @ h.T / BITS - S[np.ix_(rows, rows)]) ** 2))

    value, gradient = run(loss, u, indices)

    assert value == pytest.approx(formula(u), rel=1e-6)
    np.testing.assert_allclose(gradient, differences(formula, u), atol=1e-6)


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
        UD2H(UD2H.Params()).setup(ctx)


@pytest.mark.parametrize(
    ("images", "clusters"), [(50, 10), (1597, 20), (5000, 35), (10_500, 51), (59_000, 121)]
)
def test_there_are_half_the_root_of_the_images_clusters(images: int, clusters: int) -> None:
    assert usual_clusters(images) == clusters
    assert usual_clusters(10**6) == 200
