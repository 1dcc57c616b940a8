"""What the tests of losses share: setting one up, running it, and differences of a formula.

No expected value comes from here: each test file writes its formula in numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.methods.interface import HashBatch, HashLoss, LossContext

Array = NDArray[np.float64]


class Result(NamedTuple):
    total: float
    gradient: Array
    terms: dict[str, float]


class Fixed:
    """Access to a network that is not there: its outputs and features are given."""

    def __init__(self, outputs: Tensor, features: Tensor) -> None:
        self._outputs = outputs
        self._features = features

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        return self._outputs if indices is None else self._outputs[indices]

    def features(self) -> Tensor:
        return self._features


def _set_up(
    loss_class: type[HashLoss],
    labels: Array,
    *,
    bits: int,
    seed: int = 0,
    features: Array | None = None,
    **params: Any,
) -> HashLoss:
    """Set a loss up and begin its first epoch, on features and first outputs drawn if not given."""
    loss = loss_class(loss_class.Params(**params))
    rng = np.random.default_rng(7)
    if features is None:
        features = rng.normal(size=(len(labels), 5))
    known = torch.tensor(features, dtype=torch.float32)
    first = torch.tensor(rng.normal(size=(len(labels), bits)), dtype=torch.float32)
    multilabel = bool((labels.sum(1) > 1).any())
    loss.setup(
        LossContext(
            labels=torch.tensor(labels, dtype=torch.float32),
            bits=bits,
            multilabel=multilabel,
            epochs=10,
            batch_size=len(labels),
            generator=torch.Generator().manual_seed(seed),
            device=torch.device("cpu"),
            features=known if loss_class.needs.prepass else None,
        )
    )
    loss.begin_training(Fixed(first, known))
    loss.begin_epoch(0)
    return loss


def _batch(
    outputs: Tensor,
    labels: Array,
    *,
    progress: float = 0.0,
    second: Tensor | None = None,
    positions: Sequence[int] | None = None,
) -> HashBatch:
    """A batch of the first training images, or of those at the positions given."""
    y = torch.tensor(labels, dtype=outputs.dtype)
    indices = torch.arange(len(y)) if positions is None else torch.tensor(positions)
    return HashBatch(outputs, outputs, y, indices, progress, second)


def _run(loss: HashLoss, outputs: Array, labels: Array, **batch: Any) -> Result:
    """Run the loss in float64."""
    u = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    terms = loss.double()(_batch(u, labels, **batch))
    terms.total.backward()
    assert u.grad is not None
    values = {name: term.item() for name, term in terms.terms.items()}
    return Result(terms.total.item(), u.grad.numpy(), values)


def _differences(formula: Callable[[Array], float], at: Array, step: float = 1e-6) -> Array:
    """Central differences of a formula, one coordinate after the other."""
    gradient = np.zeros_like(at)
    for position in np.ndindex(at.shape):
        ahead, behind = at.copy(), at.copy()
        ahead[position] += step
        behind[position] -= step
        gradient[position] = (formula(ahead) - formula(behind)) / (2 * step)
    return gradient


@pytest.fixture
def set_up() -> Callable[..., HashLoss]:
    return _set_up


@pytest.fixture
def make_batch() -> Callable[..., HashBatch]:
    return _batch


@pytest.fixture
def run() -> Callable[..., Result]:
    return _run


@pytest.fixture
def differences() -> Callable[..., Array]:
    return _differences


@pytest.fixture
def outputs() -> Array:
    """8 outputs of 6 bits, away from the kinks at 0 and +-1."""
    values = np.random.default_rng(5).normal(scale=1.3, size=(8, 6))
    assert min(np.abs(values).min(), np.abs(np.abs(values) - 1).min()) > 1e-3
    return values


@pytest.fixture
def single_labels() -> Array:
    return np.eye(3)[[0, 1, 2, 0, 1, 0, 2, 2]]


@pytest.fixture
def multi_labels() -> Array:
    """Overlapping label sets, an image with all labels and one with none."""
    sets = [[0], [0, 1], [1, 2], [0, 1, 2, 3], [], [3], [2, 3], [0, 3]]
    labels = np.zeros((8, 4))
    for row, present in enumerate(sets):
        labels[row, present] = 1
    return labels


@pytest.fixture(params=["single-label", "multi-label"])
def labels(request: pytest.FixtureRequest, single_labels: Array, multi_labels: Array) -> Array:
    return single_labels if request.param == "single-label" else multi_labels
