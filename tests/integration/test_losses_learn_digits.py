"""Each loss on scikit-learn's digits reaches the mAP measured with an independent implementation.

1,797 images of 8x8, 20 queries a class, 50 training images a class out of the database of 1,597.
Plain torch, without the harness: what it adds is then seen by the committed records of the same
set-up, which have their own test.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from hashbench.core.registry import Kind, registry
from hashbench.methods.interface import HashBatch, HashLoss, LossContext

BITS, BATCH, EPOCHS, LEARNING_RATE, SEED = 32, 64, 200, 3e-4, 0
QUERIES, TRAINING = 20, 50  # a class
EXPECTED = tomllib.loads(Path(__file__).with_name("digits.toml").read_text())


class Digits:
    def __init__(self) -> None:
        images, classes = load_digits(return_X_y=True)
        self.images = torch.tensor(images / 16, dtype=torch.float32)
        self.classes = classes
        self.labels = nn.functional.one_hot(torch.tensor(classes)).float()
        rng = np.random.default_rng(SEED)
        orders = [rng.permutation(np.flatnonzero(classes == c)) for c in range(10)]
        self.query = np.concatenate([order[:QUERIES] for order in orders])
        self.database = np.concatenate([order[QUERIES:] for order in orders])
        self.train = np.concatenate([order[QUERIES : QUERIES + TRAINING] for order in orders])


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


def train(loss: HashLoss, images: Tensor, labels: Tensor) -> nn.Module:
    torch.manual_seed(SEED)
    network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, BITS))
    generator = torch.Generator().manual_seed(SEED)
    loss.setup(
        LossContext(
            labels=labels,
            bits=BITS,
            multilabel=False,
            epochs=EPOCHS,
            batch_size=BATCH,
            generator=generator,
            device=torch.device("cpu"),
        )
    )
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=LEARNING_RATE)
    for epoch in range(EPOCHS):
        loss.begin_epoch(epoch)
        batches = torch.randperm(len(images)).split(BATCH)
        for step, indices in enumerate(batches):
            progress = (epoch + step / len(batches)) / EPOCHS
            x = images[indices]
            batch = HashBatch(network(x), x, labels[indices], indices, progress)
            optimiser.zero_grad()
            loss(batch).total.backward()
            optimiser.step()
    return network


def codes_of(network: nn.Module, images: Tensor) -> NDArray[np.int64]:
    with torch.no_grad():
        return np.where(network(images).numpy() >= 0, 1, -1)


def mean_average_precision(digits: Digits, network: nn.Module) -> float:
    """mAP@all by a plain loop; equal distances are ranked in random order."""
    rng = np.random.default_rng(SEED)
    database = codes_of(network, digits.images[digits.database])
    queries = codes_of(network, digits.images[digits.query])
    precisions = []
    for code, wanted in zip(queries, digits.classes[digits.query], strict=True):
        distances = (database != code).sum(1) + rng.random(len(database))
        relevant = digits.classes[digits.database][np.argsort(distances)] == wanted
        ranks = np.flatnonzero(relevant) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return float(np.mean(precisions))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED["map"])
def test_loss_learns_digits_as_well_as_was_measured(name: str, digits: Digits) -> None:
    loss_class = registry().load(Kind.LOSS, name)
    loss = loss_class(loss_class.Params())
    network = train(loss, digits.images[digits.train], digits.labels[digits.train])
    reached = mean_average_precision(digits, network)
    expected = EXPECTED["map"][name]
    print(f"{name}: mAP@all {reached:.3f}, measured before {expected:.3f}")
    assert reached == pytest.approx(expected, abs=EXPECTED["tolerance"])
