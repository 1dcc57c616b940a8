"""UD2H on four groups of images with a linear network, and its parts by definition."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hashbench.methods.interface import HashBatch, LossContext
from hashbench.methods.losses.ud2h import UD2H

Array = NDArray[np.float64]
IMAGES, WIDTH, BITS, CLUSTERS = 36, 5, 6, 4
SMALL: dict[str, Any] = {"neighbours": 3, "clusters": CLUSTERS, "sample": 12, "inner_epochs": 2}


@pytest.fixture(scope="module")
def features() -> Array:
    """Four groups of nine images around points far from the origin."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(CLUSTERS, WIDTH)) * 2 + 5
    return np.repeat(middles, IMAGES // CLUSTERS, axis=0) + rng.normal(size=(IMAGES, WIDTH))


class Training:
    """A linear network trained as the harness does it, and the access to it that a loss gets.

    Attributes:
        passed: How many images each pass over the training set took.
    """

    def __init__(self, features: Array, *, labels: Tensor | None = None, **params: Any) -> None:
        self.images = torch.tensor(features, dtype=torch.float32)
        self.labels = torch.zeros(IMAGES, 2) if labels is None else labels
        self.passed: list[int] = []
        self.network = nn.Linear(WIDTH, BITS)
        weights = np.random.default_rng(1).normal(size=(BITS, WIDTH)) / 3
        with torch.no_grad():
            self.network.weight.copy_(torch.tensor(weights))
            self.network.bias.copy_(-self.network.weight @ self.images.mean(0))
        self.generator = torch.Generator().manual_seed(3)
        self.loss = UD2H(UD2H.Params(**{**SMALL, **params}))
        self.loss.setup(self.context())
        parameters = [*self.network.parameters(), *self.loss.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=0.02, weight_decay=1e-4)

    def context(self) -> LossContext:
        return LossContext(
            labels=self.labels,
            bits=BITS,
            multilabel=False,
            epochs=20,
            batch_size=5,
            generator=self.generator,
            device=torch.device("cpu"),
            features=self.images,
        )

    @torch.no_grad()
    def outputs(self, indices: Tensor | None = None) -> Tensor:
        chosen = self.images if indices is None else self.images[indices]
        self.passed.append(len(chosen))
        found: Tensor = self.network(chosen)
        return found

    def features(self) -> Tensor:
        return self.images

    def begin(self) -> Training:
        self.loss.begin_training(self)
        return self

    def train(self, epochs: range) -> None:
        for epoch in epochs:
            order = torch.Generator().manual_seed(epoch)
            indices = self.loss.epoch_indices(epoch)
            self.loss.begin_epoch(epoch)
            for batch in torch.split(indices[torch.randperm(len(indices), generator=order)], 5):
                self.step(batch)
            self.loss.end_epoch(epoch, self)

    def step(self, indices: Tensor) -> None:
        outputs = self.network(self.images[indices])
        batch = HashBatch(outputs, outputs, self.labels[indices], indices, 0.0)
        self.optimiser.zero_grad()
        self.loss(batch).total.backward()
        self.optimiser.step()
        self.loss.after_step()

    def state(self) -> dict[str, Any]:
        parts = {
            "loss": self.loss.state_dict(),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }
        return deepcopy(parts)

    def load(self, state: dict[str, Any]) -> None:
        self.loss.load_state_dict(state["loss"])
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])


@pytest.fixture
def training(features: Array) -> Callable[..., Training]:
    return lambda **params: Training(features, **params)


def _dense_similarity(features: Array, ids: Array, *, k: int, beta: float, rows: Array) -> Array:
    """All rows of S by definition; r is balanced over some of them."""
    g = features - features.mean(0)
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    cosines = g @ g.T - 9 * np.eye(len(g))
    lists = [set(np.argsort(-row)[:k].tolist()) for row in cosines]
    positive = np.zeros((len(g), len(g)))
    for i in range(len(g)):
        for j in range(len(g)):
            if i == j or j in lists[i] or i in lists[j]:
                positive[i, j] = 1
            elif ids[i] == ids[j]:
                positive[i, j] = beta
            else:
                positive[i, j] = -1
    counted = positive[rows]
    r = np.clip(counted[counted > 0].sum() / (counted < 0).sum(), 0.02, 0.2)
    return np.where(positive < 0, -r, positive)


def _soft(h: Array, mu: Array) -> Array:
    kernels = [[1 / (1 + ((row / BITS**0.5 - c) ** 2).sum()) for c in mu] for row in h]
    return np.array(kernels) / np.array(kernels).sum(1, keepdims=True)


def _target(q: Array, frequencies: Array) -> Array:
    weights = q**2 / frequencies
    return weights / weights.sum(1, keepdims=True)


@pytest.fixture
def dense_similarity() -> Callable[..., Array]:
    return _dense_similarity


@pytest.fixture
def soft() -> Callable[..., Array]:
    return _soft


@pytest.fixture
def target() -> Callable[..., Array]:
    return _target
