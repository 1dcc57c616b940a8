"""UD2H's clusters and neighbours: warm-up, targets, refresh, frozen and tuned backbones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.methods.losses.ud2h import UD2H

Array = NDArray[np.float64]
IMAGES, BITS, CLUSTERS = 36, 6, 4


def numbers(value: Tensor) -> Array:
    return value.detach().double().numpy()


def test_centres_wait_for_the_end_of_the_warm_up_and_then_move(
    training: Callable[..., Any],
) -> None:
    made = training(warm_up=2).begin()
    made.train(range(3))
    assert not bool(made.loss.centres.any())
    assert made.loss.centres not in made.optimiser.state
    made.train(range(3, 4))

    points = np.tanh(numbers(made.outputs())) / BITS**0.5
    ids = made.loss.clusters.numpy()
    means = np.array([points[ids == c].mean(0) for c in range(CLUSTERS)])
    np.testing.assert_allclose(numbers(made.loss.centres), means, atol=1e-6)
    assert made.loss.centres not in made.optimiser.state

    made.train(range(4, 5))
    assert not np.allclose(numbers(made.loss.centres), means, atol=1e-4)


def test_targets_stay_fixed_during_an_outer_iteration(
    training: Callable[..., Any], soft: Callable[..., Array], target: Callable[..., Array]
) -> None:
    made = training(warm_up=1).begin()
    made.train(range(2))
    fixed = made.loss.targets.clone()
    made.train(range(2, 3))
    assert torch.equal(made.loss.targets, fixed)
    made.train(range(3, 4))
    h, omega = np.tanh(numbers(made.outputs())), made.loss.sampled.numpy()
    q = soft(h, numbers(made.loss.centres))
    expected = target(q, q.sum(0))[omega]
    np.testing.assert_allclose(numbers(made.loss.targets), expected, atol=1e-6)


def crossed(made: Any) -> Array:
    """Give the network such outputs that one image is nearest to another cluster's centre."""
    ids = made.loss.clusters
    signs = np.random.default_rng(0).choice([-2.0, 2.0], (CLUSTERS, BITS))
    with torch.no_grad():
        made.loss.centres.copy_(torch.tensor(np.tanh(signs) / BITS**0.5))
    moved = ids.clone()
    moved[:1] = (ids[:1] + 1) % CLUSTERS
    return signs[moved.numpy()]


class Given:
    def __init__(self, outputs: Array) -> None:
        self._outputs = torch.tensor(outputs, dtype=torch.float32)

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        return self._outputs if indices is None else self._outputs[indices]

    def features(self) -> Tensor:
        raise AssertionError("a frozen backbone's features are known")


@pytest.mark.parametrize("epoch", [3, 5], ids=["before", "at a refresh"])
def test_cluster_ids_are_assigned_anew_at_a_refresh(
    epoch: int, training: Callable[..., Any], soft: Callable[..., Array]
) -> None:
    made = training(warm_up=1, refresh=3).begin()
    made.train(range(epoch))
    before, outputs = made.loss.clusters.clone(), crossed(made)
    mu = numbers(made.loss.centres)
    made.loss.end_epoch(epoch, Given(outputs))
    expected = before.numpy() if epoch == 3 else soft(np.tanh(outputs), mu).argmax(1)
    np.testing.assert_array_equal(made.loss.clusters.numpy(), expected)
    assert (made.loss.clusters[0] != before[0]).item() == (epoch == 5)


def test_ids_that_would_put_all_images_in_one_cluster_are_refused(
    training: Callable[..., Any],
) -> None:
    made = training(warm_up=1, refresh=3).begin()
    made.train(range(5))
    before = made.loss.clusters.clone()
    made.loss.end_epoch(5, Given(np.full((IMAGES, BITS), 0.3)))
    assert torch.equal(made.loss.clusters, before)


def test_the_weight_of_negatives_follows_the_ids_in_force(
    features: Array, training: Callable[..., Any], dense_similarity: Callable[..., Array]
) -> None:
    made = training(warm_up=1, refresh=3).begin()
    made.train(range(5))
    made.loss.end_epoch(5, Given(crossed(made)))
    omega = made.loss.sampled.numpy()
    S = dense_similarity(features, numbers(made.loss.clusters), k=3, beta=0.8, rows=omega)
    assert float(made.loss.dissimilar) == pytest.approx(-S.min(), rel=1e-6)


def test_a_frozen_backbone_passes_all_images_once_an_outer_iteration(
    training: Callable[..., Any],
) -> None:
    made = training(warm_up=1, refresh=2).begin()
    made.train(range(10))
    assert made.passed == [IMAGES] * 6  # the first codes, and five iterations after the warm-up


def test_a_tuned_backbone_passes_the_sample_only_but_at_a_refresh(
    training: Callable[..., Any],
) -> None:
    made = training(warm_up=1, refresh=2, mode="tuned").begin()
    made.train(range(10))
    assert made.passed == [IMAGES, 12, IMAGES, 12, IMAGES, 12]


def test_a_tuned_backbones_cluster_frequencies_are_a_running_average(
    training: Callable[..., Any], soft: Callable[..., Array], target: Callable[..., Array]
) -> None:
    made = training(warm_up=1, mode="tuned").begin()
    made.train(range(2))

    def fresh() -> Array:
        h = np.tanh(numbers(made.outputs(made.loss.sampled)))
        return soft(h, numbers(made.loss.centres)).sum(0) * IMAGES / 12

    first = fresh()
    np.testing.assert_allclose(numbers(made.loss.frequencies), first, rtol=1e-5)
    made.train(range(2, 4))
    expected = 0.9 * first + 0.1 * fresh()
    np.testing.assert_allclose(numbers(made.loss.frequencies), expected, rtol=1e-5)
    assert expected.sum() == pytest.approx(IMAGES)
    h = np.tanh(numbers(made.outputs(made.loss.sampled)))
    p = target(soft(h, numbers(made.loss.centres)), expected)
    np.testing.assert_allclose(numbers(made.loss.targets), p, atol=1e-5)


def test_a_tuned_backbones_first_centres_are_means_over_the_sample_or_else_of_codes(
    training: Callable[..., Any],
) -> None:
    made = training(warm_up=1, mode="tuned", sample=3).begin()
    made.train(range(2))
    omega, ids = made.loss.sampled.numpy(), made.loss.clusters.numpy()
    h, codes = np.tanh(numbers(made.outputs())), numbers(made.loss.codes)
    expected = []
    for c in range(CLUSTERS):
        members = omega[ids[omega] == c]
        expected.append(h[members].mean(0) if len(members) else codes[ids == c].mean(0))
    assert len(set(ids[omega])) < CLUSTERS  # three images are never of four clusters
    np.testing.assert_allclose(
        numbers(made.loss.centres), np.array(expected) / BITS**0.5, atol=1e-6
    )


@pytest.mark.parametrize("mode", ["frozen", "tuned"])
def test_only_a_tuned_backbones_neighbours_are_found_anew_at_a_refresh(
    mode: str, training: Callable[..., Any]
) -> None:
    made = training(warm_up=1, refresh=2, mode=mode).begin()
    made.train(range(1))
    before = made.loss.neighbours.clone()
    made.images = made.images.flip(0).contiguous()  # the backbone has changed
    made.train(range(1, 2))
    assert torch.equal(made.loss.neighbours, before)
    made.train(range(2, 4))
    mirrored = (IMAGES - 1 - before).flip(0)
    assert torch.equal(made.loss.neighbours, mirrored if mode == "tuned" else before)


def test_without_the_clustering_loss_ids_and_centres_stay(
    training: Callable[..., Any],
) -> None:
    made = training(**UD2H.Params.presets["no_clustering_loss"], warm_up=1, refresh=1).begin()
    before = made.loss.clusters.clone()
    made.train(range(8))
    assert torch.equal(made.loss.clusters, before)
    assert not bool(made.loss.centres.any())
