"""ADSH against its formula, and its codes against trying both values of every bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hashbench.methods.interface import HashBatch, LossContext
from hashbench.methods.losses.adsh import ADSH

Array = NDArray[np.float64]
IMAGES, BITS, EPOCHS = 20, 5, 7


def matrix(y: Array, *, rows: Array | list[int]) -> Array:
    """S of some rows; r is the number of similar over that of dissimilar entries."""
    similar = np.array([[y[i] @ y_j > 0 for y_j in y] for i in rows])
    return np.where(similar, 1.0, -similar.sum() / (~similar).sum())


def adsh(u: Array, V: Array, S: Array, *, gamma: float) -> float:
    """The published sum over a batch of all images, over N n."""
    total = 0.0
    for i, u_i in enumerate(u):
        h = np.tanh(u_i)
        for j, v_j in enumerate(V):
            total += (h @ v_j - len(h) * S[i, j]) ** 2
        total += gamma * ((V[i] - h) ** 2).sum()
    return float(total / (len(V) * len(u)))


@pytest.mark.parametrize("gamma", [200.0, 3.0])
def test_value_and_gradient_follow_the_formula(
    *,
    gamma: float,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., ADSH],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(ADSH, labels, bits=6, code=gamma)
    V, S = loss.codes.double().numpy(), matrix(labels, rows=list(range(8)))
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(adsh(outputs, V, S, gamma=gamma), rel=1e-6)
    expected = differences(lambda u: adsh(u, V, S, gamma=gamma), outputs)
    np.testing.assert_allclose(result.gradient, expected, rtol=1e-5, atol=1e-5)


def test_codes_equal_to_similarities_cost_nothing(
    set_up: Callable[..., ADSH], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)[[0, 0, 1, 1]]  # as many similar as dissimilar pairs: r = 1
    loss = set_up(ADSH, labels, bits=4)
    codes = np.outer([1.0, 1, -1, -1], [1, -1, 1, 1])
    loss.codes.copy_(torch.tensor(codes))
    result = run(loss, 20 * codes, labels)  # tanh(20) is 1 to 16 digits
    assert result.terms == pytest.approx({"similarity": 0, "code": 0}, abs=1e-12)


class Training:
    """A linear network trained on samples as the harness does it."""

    def __init__(self, labels: Array, *, seed: int = 3, batch: int = 3, **params: Any) -> None:
        rng = np.random.default_rng(0)
        values = rng.normal(size=(len(labels), 6)) + np.pad(labels, ((0, 0), (0, 6)))[:, :6]
        self.images = torch.tensor(values, dtype=torch.float32)
        self.labels = torch.tensor(labels, dtype=torch.float32)
        self.network = nn.Linear(6, BITS)
        with torch.no_grad():
            self.network.weight.copy_(torch.tensor(rng.normal(size=(BITS, 6))))
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1e-3)
        self.batch = batch
        self.loss = ADSH(ADSH.Params(**{"sample": 9, "inner_epochs": 2, **params}))
        self.loss.setup(
            LossContext(
                labels=self.labels.clone(),
                bits=BITS,
                multilabel=bool((labels.sum(1) > 1).any()),
                epochs=EPOCHS,
                batch_size=batch,
                generator=torch.Generator().manual_seed(seed),
                device=torch.device("cpu"),
            )
        )
        self.loss.begin_training(self)

    @torch.no_grad()
    def outputs(self, indices: Tensor | None = None) -> Tensor:
        found: Tensor = self.network(self.images if indices is None else self.images[indices])
        return found

    def features(self) -> Tensor:
        return self.images

    def epoch(self, epoch: int) -> Array:
        """Train an epoch and end it; what the sampled images' tanh was in their last step."""
        sample = self.loss.epoch_indices(epoch).clone()
        last = torch.zeros(len(sample), BITS)
        self.loss.begin_epoch(epoch)
        for places in torch.arange(len(sample)).flip(0).split(self.batch):
            indices = sample[places]
            outputs = self.network(self.images[indices])
            last[places] = torch.tanh(outputs.detach())
            batch = HashBatch(outputs, outputs, self.labels[indices], indices, 0.0)
            self.optimiser.zero_grad()
            self.loss(batch).total.backward()
            self.optimiser.step()
        self.loss.end_epoch(epoch, self)
        return last.double().numpy()

    @property
    def codes(self) -> Array:
        return self.loss.codes.double().numpy().copy()

    @property
    def sample(self) -> list[int]:
        return list(self.loss.epoch_indices(0).tolist())


@pytest.fixture(params=["single-label", "multi-label"])
def many_labels(request: pytest.FixtureRequest) -> Array:
    rng = np.random.default_rng(2)
    if request.param == "single-label":
        return np.eye(4)[rng.integers(4, size=IMAGES)]
    return (rng.random((IMAGES, 5)) < 0.3).astype(np.float64)  # some images have no label


def objective(V: Array, U: Array, S: Array, omega: list[int]) -> float:
    """What the sweep minimises, by definition."""
    return float(((U @ V.T - BITS * S) ** 2).sum() + 200 * ((V[omega] - U) ** 2).sum())


def swept(V: Array, U: Array, S: Array, omega: list[int]) -> Array:
    """Bit after bit, image after image: the better of both values, the old one of equals."""
    result = V.copy()
    for bit in range(BITS):
        for image in range(len(V)):
            old, values = result[image, bit], []
            for sign in (old, -old):
                result[image, bit] = sign
                values.append(objective(result, U, S, omega))
            result[image, bit] = old if values[0] <= values[1] + 1e-9 else -old
    return result


def test_the_codes_make_one_sweep_after_an_outer_iteration(many_labels: Array) -> None:
    made = Training(many_labels)
    omega, before = made.sample, made.codes
    S = matrix(many_labels, rows=omega)
    made.epoch(0)
    np.testing.assert_array_equal(made.codes, before)
    U = made.epoch(1)
    np.testing.assert_array_equal(made.codes, swept(before, U, S, omega))
    assert objective(made.codes, U, S, omega) < objective(before, U, S, omega)


def test_no_sweep_raises_the_objective_and_sweeps_come_to_rest(many_labels: Array) -> None:
    made = Training(many_labels, inner_epochs=3)  # no sweep before this one's
    omega = made.sample
    S, U = matrix(many_labels, rows=omega), made.epoch(0)
    values = [objective(made.codes, U, S, omega)]
    for _ in range(10):
        made.loss.update_codes()
        values.append(objective(made.codes, U, S, omega))
    assert all(later <= earlier + 1e-3 for earlier, later in pairwise(values))
    assert values[-1] == values[-2] < values[0]


def test_an_outer_iteration_cut_short_by_the_end_of_training_gets_its_sweep(
    many_labels: Array,
) -> None:
    made = Training(many_labels)  # 7 epochs: the last iteration has one
    for epoch in range(EPOCHS - 1):
        made.epoch(epoch)
    omega, before = made.sample, made.codes
    U = made.epoch(EPOCHS - 1)
    expected = swept(before, U, matrix(many_labels, rows=omega), omega)
    np.testing.assert_array_equal(made.codes, expected)


def test_images_that_no_step_has_seen_do_not_move_codes(many_labels: Array) -> None:
    made = Training(many_labels)
    omega, before = made.sample, made.codes
    S = matrix(many_labels, rows=omega)
    seen = torch.tensor(omega[:4])
    u = made.outputs(seen)
    made.loss(HashBatch(u, u, made.labels[seen], seen, 0.0))
    made.loss.end_epoch(1, made)
    U = np.tanh(u.double().numpy())
    np.testing.assert_array_equal(made.codes, swept(before, U, S[:4], omega[:4]))


def test_codes_start_as_the_signs_of_the_initial_network(many_labels: Array) -> None:
    made = Training(many_labels)
    np.testing.assert_array_equal(made.codes, np.where(made.outputs().numpy() >= 0, 1, -1))


def test_a_sample_is_kept_for_the_inner_epochs_and_then_drawn_anew(many_labels: Array) -> None:
    made, samples = Training(many_labels), []
    for epoch in range(6):
        samples.append(made.sample)
        made.epoch(epoch)
    assert all(len(set(sample)) == 9 for sample in samples)
    assert samples[0] == samples[1] != samples[2] == samples[3] != samples[4] == samples[5]
    assert Training(many_labels, seed=4).sample != samples[0]


def test_a_sample_is_never_larger_than_the_training_set(many_labels: Array) -> None:
    assert Training(many_labels, sample=2000).sample == list(range(IMAGES))


def test_the_negatives_weigh_by_the_sample_not_by_the_batch(many_labels: Array) -> None:
    made = Training(many_labels)
    indices = torch.tensor(made.sample[:2])
    u = made.outputs(indices)
    found = made.loss(HashBatch(u, u, made.labels[indices], indices, 0.0)).total.item()
    S = matrix(many_labels, rows=made.sample)[:2]
    own = np.concatenate([indices.numpy(), np.delete(np.arange(IMAGES), indices.numpy())])
    first = S[:, own]  # `adsh` takes the batch's own codes first
    expected = adsh(u.double().numpy(), made.codes[own], first, gamma=200.0)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("choice", ["network", "learned"])
def test_learned_codes_stand_for_training_images_only_if_asked_for(
    choice: str, many_labels: Array
) -> None:
    made = Training(many_labels, database_codes=choice)
    made.epoch(0)
    made.epoch(1)
    found = made.loss.database_codes()
    if choice == "network":
        assert found is None
    else:
        assert found is not None
        np.testing.assert_array_equal(found.signs(), made.codes)


def test_the_authors_preset_searches_learned_codes() -> None:
    assert ADSH.Params.presets["authors"]["database_codes"] == "learned"
    assert ADSH.Params().database_codes.value == "network"


def test_the_card_warns_of_the_labels_it_uses() -> None:
    text = " ".join((ADSH.__doc__ or "").split())
    assert "uses the labels of *all* the images" in text
    assert "functions of those images' labels" in text
