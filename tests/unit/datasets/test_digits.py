"""The digits of scikit-learn as bytes."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from hashbench.datasets.sources.digits import Digits, from_bytes, to_bytes


def test_values_are_spread_over_a_byte_to_the_nearest_level() -> None:
    spread = to_bytes(np.arange(17))
    assert spread.dtype == np.uint8
    assert (spread[0], spread[8], spread[16]) == (0, 128, 255)
    exact = np.arange(17) / 16 * 255
    assert np.abs(spread - exact).max() <= 0.5


def test_spreading_is_undone_exactly() -> None:
    assert from_bytes(to_bytes(np.arange(17))).tolist() == list(range(17))


def test_images_and_labels_are_those_of_scikit_learn() -> None:
    data, bunch = Digits().load(None), load_digits()
    assert data.images.shape == (1797, 8, 8)
    np.testing.assert_array_equal(from_bytes(data.images), bunch.images)
    np.testing.assert_array_equal(data.labels.argmax(axis=1), bunch.target)
    assert data.labels.sum() == 1797
    assert data.classes == tuple("0123456789")
