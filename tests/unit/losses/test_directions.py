"""Centred directions of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hashbench.methods.building_blocks.feature_directions import centred_directions


def test_features_are_centred_and_of_norm_one() -> None:
    features = np.random.default_rng(0).normal(loc=5, size=(20, 6))
    centred = features - features.mean(0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    found = centred_directions(torch.tensor(features))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_a_projection_keeps_the_directions_of_greatest_variance() -> None:
    features = np.random.default_rng(1).normal(size=(30, 6)) * [5, 4, 3, 0.5, 0.2, 0.1]
    centred = features - features.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ axes[:3].T
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    found = centred_directions(torch.tensor(features), 3)
    assert found.shape == (30, 3)
    np.testing.assert_allclose((found @ found.T).numpy(), kept @ kept.T, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_no_projection_is_made_on_more_directions_than_there_are(shape: tuple[int, int]) -> None:
    features = torch.tensor(np.random.default_rng(2).normal(size=shape))
    assert torch.equal(centred_directions(features, 8), centred_directions(features))


def test_a_single_image_and_equal_images_have_no_direction() -> None:
    for rows in (1, 3):
        assert not bool(centred_directions(torch.full((rows, 4), 0.3), 2).any())
