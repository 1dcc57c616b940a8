"""Principal directions of features with more dimensions than images, as the pixels of photos."""

import numpy as np
import pytest
import torch

from hashbench.methods.shallow.principal import principal_directions

IMAGES, WIDTH = 12, 5_000


@pytest.fixture
def centred():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(IMAGES, WIDTH)) * np.arange(1, IMAGES + 1)[:, None]
    return features - features.mean(axis=0)


def test_they_are_the_right_singular_vectors(centred):
    V = np.linalg.svd(centred, full_matrices=False)[2][:8].T
    V = V * np.sign(V[np.abs(V).argmax(axis=0), np.arange(8)])
    found = principal_directions(torch.from_numpy(centred), 8, method="itq").numpy()
    np.testing.assert_allclose(found, V, atol=1e-10)


def test_they_are_orthonormal_even_where_next_to_nothing_varies(centred):
    # Four images are nearly copies of others, so that four directions have hardly any variance.
    near = np.concatenate([centred[:8], centred[:4] + 1e-7 * centred[8:]])
    near = near - near.mean(axis=0)
    found = principal_directions(torch.from_numpy(near), IMAGES - 1, method="itq").numpy()
    np.testing.assert_allclose(found.T @ found, np.eye(IMAGES - 1), atol=1e-12)


def test_photos_need_no_covariance():
    # 196,608 squared float64 would be 288 GiB.
    photos = torch.randn(4, 256 * 256 * 3, generator=torch.Generator().manual_seed(0)).double()
    found = principal_directions(photos - photos.mean(dim=0), 3, method="itq")
    assert found.shape == (256 * 256 * 3, 3)
