"""Mixtures of digits: what each image is made of, and what queries share with the rest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from hashbench.core.info import LabelKind
from hashbench.datasets.interface import ImageData
from hashbench.datasets.loading import prepare
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.datasets.sources.digit_mixtures import MIXTURE, DigitMixtures

Ints = NDArray[np.int64]


@pytest.fixture(scope="module")
def data() -> ImageData:
    return DigitMixtures().load(None)


@pytest.fixture(scope="module")
def slots() -> Ints:
    return MIXTURE.classes()


def averages(members: Ints) -> Ints:
    """Of digit images in whole numbers: 255 mean(v / 16), rounded half up."""
    total = members.sum(axis=-3)
    full = 16 * members.shape[-3]
    return (2 * 255 * total + full) // (2 * full)


def test_every_image_is_sealed_with_its_square_beside_it_and_black_below(data: ImageData) -> None:
    assert data.images.shape == (6000, 16, 16)
    assert data.images.dtype == np.uint8
    left, right = data.images[:, :8, :8] / 255, data.images[:, :8, 8:] / 255
    # Both are rounded to bytes: the square of a rounded value is off by at most one level.
    assert np.abs(left**2 - right).max() <= 1.5 / 255
    assert not data.images[:, 8:].any()


def test_an_image_of_one_digit_is_an_image_of_scikit_learn(data: ImageData, slots: Ints) -> None:
    bunch = load_digits()
    known: dict[bytes, set[int]] = {}
    for image, number in zip(bunch.images.astype(np.int64), bunch.target, strict=True):
        known.setdefault(averages(image[None]).tobytes(), set()).add(int(number))
    single = np.flatnonzero(slots[:, 1] < 0)
    for position in single:
        picture = data.images[position, :8, :8].astype(np.int64)
        assert slots[position, 0] in known[picture.tobytes()]
    assert len(single) > 1500


def test_an_image_of_two_digits_is_the_average_of_one_of_each_class(
    data: ImageData, slots: Ints
) -> None:
    bunch = load_digits()
    pools = [bunch.images[bunch.target == number].astype(np.int64) for number in range(10)]
    double = np.flatnonzero((slots[:, 1] >= 0) & (slots[:, 2] < 0))[:5]
    for position in double:
        one, other = (pools[number] for number in slots[position, :2])
        pairs = np.stack(np.broadcast_arrays(one[:, None], other[None]), axis=2)
        found = averages(pairs) == data.images[position, :8, :8]
        assert found.all(axis=(-2, -1)).any()


def test_labels_are_the_classes_drawn(data: ImageData, slots: Ints) -> None:
    for row, classes in zip(data.labels, slots, strict=True):
        present = [number for number in classes if number >= 0]
        assert len(set(present)) == len(present) in (1, 2, 3)
        assert np.flatnonzero(row).tolist() == sorted(present)
    assert DigitMixtures.info.labels == {LabelKind.MULTI}


def test_one_two_and_three_digits_are_equally_frequent_and_so_are_classes(slots: Ints) -> None:
    # Binomial: mean 2,000 and deviation 37; mean 600 and deviation 23.
    assert np.abs(np.bincount((slots >= 0).sum(1))[1:] - 2000).max() < 4 * 37
    assert np.abs(np.bincount(slots[:, 0]) - 600).max() < 4 * 23


def test_a_further_digit_is_mostly_the_successor(slots: Ints) -> None:
    several = slots[slots[:, 1] >= 0]
    share = float(np.mean(several[:, 1] == (several[:, 0] + 1) % 10))
    # 0.7 by rule, and one in nine of the other 0.3 by chance; deviation 0.007.
    assert share == pytest.approx(0.7 + 0.3 / 9, abs=4 * 0.007)


def test_neighbouring_labels_occur_together_more_often_than_all_others(data: ImageData) -> None:
    labels = data.labels.astype(np.int64)
    together = labels.T @ labels
    neighbours = [together[a, (a + 1) % 10] for a in range(10)]
    others = [together[a, b] for a, b in combinations(range(10), 2) if (b - a) % 10 not in (1, 9)]
    assert min(neighbours) > 2 * max(others)


def test_no_query_of_one_digit_shows_a_digit_that_others_show(data: ImageData, slots: Ints) -> None:
    single = slots[:, 1] < 0
    pictures = [image.tobytes() for image in data.images]
    queries = {pictures[i] for i in np.flatnonzero(single) if i < 500}
    others = {pictures[i] for i in np.flatnonzero(single) if i >= 500}
    assert len(queries) > 100
    assert not queries & others


def test_the_protocol_cuts_it_without_a_warning_of_identical_images(data: ImageData) -> None:
    loaded = prepare(data, load_protocol("digit-mixtures@1"))
    assert loaded.warnings == ()
    assert loaded.split.query.tolist() == list(range(500))
    assert loaded.split.train.tolist() == list(range(500, 2500))
    assert loaded.split.database.tolist() == list(range(2500, 6000))
