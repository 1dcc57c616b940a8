"""UD2H's samples and codes of the training set, outer iteration by outer iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.core.errors import ConfigError
from hashbench.core.params import resolve_params
from hashbench.methods.losses.ud2h import UD2H

Array = NDArray[np.float64]
IMAGES, BITS, CLUSTERS = 36, 6, 4


def numbers(value: Tensor) -> Array:
    return value.detach().double().numpy()


def test_codes_start_as_the_signs_of_the_initial_network(
    training: Callable[..., Any],
) -> None:
    made = training()
    made.network.weight.data[2] = 0
    made.network.bias.data[2] = 0  # an output of exactly 0 becomes +1
    made.begin()
    expected = np.where(numbers(made.outputs()) >= 0, 1, -1)
    np.testing.assert_array_equal(numbers(made.loss.codes), expected)
    assert (expected[:, 2] == 1).all()


def test_a_sample_is_kept_for_the_inner_epochs_and_then_drawn_anew(
    training: Callable[..., Any],
) -> None:
    made = training().begin()
    samples = []
    for epoch in range(6):
        samples.append(made.loss.epoch_indices(epoch).tolist())
        made.train(range(epoch, epoch + 1))
    assert all(len(set(sample)) == 12 for sample in samples)
    assert samples[0] == samples[1] != samples[2] == samples[3] != samples[4] == samples[5]


def test_a_sample_is_never_larger_than_the_training_set(training: Callable[..., Any]) -> None:
    sample = training(sample=2000).begin().loss.epoch_indices(0)
    assert sorted(sample.tolist()) == list(range(IMAGES))


def braces(codes: Array, U: Array, S: Array, omega: Array) -> float:
    """The part of the objective that the codes minimise."""
    pairs = ((U @ codes.T - BITS * S[omega]) ** 2).sum()
    return float(pairs + 200 * ((U - codes[omega]) ** 2).sum())


def swept(codes: Array, U: Array, S: Array, omega: Array) -> Array:
    """Bit after bit, image after image: the better of both values."""
    result = codes.copy()
    for bit in range(BITS):
        for image in range(len(codes)):
            old, values = result[image, bit], []
            for sign in (old, -old):
                result[image, bit] = sign
                values.append(braces(result, U, S, omega))
            result[image, bit] = old if values[0] <= values[1] else -old
    return result


@pytest.mark.parametrize("visited", [12, 7], ids=["all", "some"])
def test_the_codes_make_one_sweep_after_an_outer_iteration(
    visited: int,
    features: Array,
    training: Callable[..., Any],
    dense_similarity: Callable[..., Array],
) -> None:
    made = training().begin()
    loss = made.loss
    omega = loss.epoch_indices(0).clone()
    S = dense_similarity(features, numbers(loss.clusters), k=3, beta=0.8, rows=omega.numpy())
    before, U = numbers(loss.codes), np.zeros((visited, BITS))
    for epoch in range(2):
        loss.begin_epoch(epoch)
        chosen = omega[:visited]
        U = np.tanh(numbers(made.outputs(chosen)))  # what the last step leaves behind
        made.step(chosen)
        if epoch == 0:
            loss.end_epoch(epoch, made)
            np.testing.assert_array_equal(numbers(loss.codes), before)
    loss.end_epoch(1, made)

    after, seen = numbers(loss.codes), omega[:visited].numpy()
    np.testing.assert_array_equal(after, swept(before, U, S, seen))
    assert braces(after, U, S, seen) < braces(before, U, S, seen)


def test_an_outer_iteration_cut_short_by_the_end_of_training_gets_its_sweep(
    training: Callable[..., Any],
) -> None:
    made = training(inner_epochs=3).begin()  # 20 epochs: the last iteration has two
    made.train(range(18))
    before = made.loss.codes.clone()
    made.train(range(18, 19))
    assert torch.equal(made.loss.codes, before)
    passed = len(made.passed)
    made.train(range(19, 20))
    assert not torch.equal(made.loss.codes, before)
    assert len(made.passed) == passed  # nothing is prepared for an iteration that never comes


def test_the_symmetric_ablation_leaves_the_codes_alone(training: Callable[..., Any]) -> None:
    made = training(asymmetric=False).begin()
    before = made.loss.codes.clone()
    made.train(range(6))
    assert torch.equal(made.loss.codes, before)


def test_learned_codes_stand_for_training_images_only_if_asked_for(
    training: Callable[..., Any],
) -> None:
    made = training(database_codes="learned").begin()
    made.train(range(4))
    found = made.loss.database_codes()
    assert found is not None
    np.testing.assert_array_equal(found.signs(), numbers(made.loss.codes))
    assert set(np.unique(found.signs())) == {-1, 1}
    assert training().begin().loss.database_codes() is None


def test_learned_codes_of_the_symmetric_form_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^database_codes: 'learned' needs 'asymmetric: true'"):
        resolve_params(UD2H.Params, preset="symmetric", params={"database_codes": "learned"})


@pytest.mark.parametrize("filled", [1.0, float("nan")])
def test_labels_are_never_read(filled: float, training: Callable[..., Any]) -> None:
    one = training(warm_up=1).begin()
    other = training(warm_up=1, labels=torch.full((IMAGES, 2), filled)).begin()
    for made in (one, other):
        made.train(range(12))
    assert torch.equal(one.network.weight, other.network.weight)
    state = other.loss.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.loss.state_dict().items())


@pytest.mark.parametrize("mode", ["frozen", "tuned"])
@pytest.mark.parametrize("stop", [1, 3, 5, 8, 13])
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(
    stop: int, mode: str, training: Callable[..., Any]
) -> None:
    unbroken = training(warm_up=2, refresh=2, mode=mode).begin()
    unbroken.train(range(stop))
    state = unbroken.state()
    unbroken.train(range(stop, 16))
    resumed = training(warm_up=2, refresh=2, mode=mode)
    torch.randperm(5, generator=resumed.generator)
    resumed.load(state)
    resumed.train(range(stop, 16))
    assert torch.equal(resumed.network.weight, unbroken.network.weight)
    expected = unbroken.loss.state_dict()
    for name, value in resumed.loss.state_dict().items():
        assert torch.equal(value, expected[name]), name
