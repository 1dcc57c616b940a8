"""Scenes of garments: what lies on each, how labels occur together, what queries share."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hashbench.core.info import LabelKind
from hashbench.datasets.interface import ImageData
from hashbench.datasets.loading import prepare
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.datasets.sources.fashion_mnist import CLASSES, FashionMNISTMini
from hashbench.datasets.sources.fashion_scenes import MIXTURE, WORN_WITH, FashionScenes, corners

QUERIES = 500


@pytest.fixture(scope="module")
def data() -> ImageData:
    return FashionScenes().load(None)


@pytest.fixture(scope="module")
def garments() -> dict[bytes, tuple[int, bool]]:
    """Class, and whether it is of the official test part, by the pixels of every garment."""
    mini = FashionMNISTMini().load(None)
    numbers = mini.labels.argmax(axis=1)
    return {
        image.tobytes(): (int(number), position >= 7000)
        for position, (image, number) in enumerate(zip(mini.images, numbers, strict=True))
    }


def test_what_is_worn_with_what_is_one_cycle_through_all_classes() -> None:
    name, seen = CLASSES[0], []
    for _ in CLASSES:
        seen.append(name)
        name = WORN_WITH[name]
    assert sorted(seen) == sorted(CLASSES)
    assert name == CLASSES[0]


def test_a_scene_is_its_garments_unchanged_on_black_and_nothing_else(
    data: ImageData, garments: dict[bytes, tuple[int, bool]]
) -> None:
    slots, (rows, columns) = MIXTURE.classes(), corners()
    assert (data.images.shape, data.images.dtype) == ((6000, 64, 64), np.uint8)
    for scene in (*range(0, QUERIES, 5), *range(QUERIES, 6000, 40)):
        rest = data.images[scene].copy()
        for slot in np.flatnonzero(slots[scene] >= 0):
            row, column = rows[scene, slot], columns[scene, slot]
            piece = data.images[scene, row : row + 28, column : column + 28]
            number, of_test_part = garments[piece.tobytes()]
            assert number == slots[scene, slot]
            assert of_test_part == (scene < QUERIES)
            rest[row : row + 28, column : column + 28] = 0
        assert not rest.any()


def test_garments_of_a_scene_lie_in_different_quarters_and_all_places_occur() -> None:
    rows, columns = corners()
    quarters = rows // 32 * 2 + columns // 32
    assert (np.sort(quarters, axis=1) == np.arange(4)).all()
    for places in (rows % 32, columns % 32):
        assert np.bincount(places.ravel(), minlength=5).min() > 0.18 * places.size
        assert places.max() == 4


def test_labels_are_multi_hot_with_one_to_four_classes_equally_often(data: ImageData) -> None:
    counts = np.bincount(data.labels.sum(axis=1), minlength=5)
    # Binomial: mean 1,500 and deviation 34.
    assert counts[0] == 0
    assert np.abs(counts[1:] - 1500).max() < 4 * 34
    assert FashionScenes.info.labels == {LabelKind.MULTI}
    assert data.classes == CLASSES


def test_a_further_garment_is_mostly_what_the_one_before_is_worn_with() -> None:
    slots = MIXTURE.classes()
    several = slots[slots[:, 1] >= 0]
    worn = np.array([CLASSES.index(WORN_WITH[CLASSES[n]]) for n in several[:, 0]])
    # 0.7 by rule, and one in nine of the other 0.3 by chance; deviation 0.007.
    assert float(np.mean(several[:, 1] == worn)) == pytest.approx(0.7 + 0.3 / 9, abs=4 * 0.007)


def test_neighbours_on_the_cycle_occur_together_more_often_than_all_others(
    data: ImageData,
) -> None:
    labels = data.labels.astype(np.int64)
    together = labels.T @ labels
    neighbours = {frozenset({CLASSES.index(a), CLASSES.index(b)}) for a, b in WORN_WITH.items()}
    pairs = [frozenset(pair) for pair in combinations(range(10), 2)]
    least = min(together[min(pair), max(pair)] for pair in neighbours)
    most = max(together[min(pair), max(pair)] for pair in pairs if pair not in neighbours)
    assert least > 1.5 * most
    assert np.diag(together).min() > 0.9 * np.diag(together).mean()


def test_the_protocol_cuts_it_without_a_warning_of_identical_images(data: ImageData) -> None:
    spec = load_protocol("fashion-scenes@1")
    loaded = prepare(data, spec)
    assert loaded.warnings == ()
    assert loaded.split.query.tolist() == list(range(QUERIES))
    assert loaded.split.train.tolist() == list(range(500, 2500))
    assert loaded.split.database.tolist() == list(range(2500, 6000))
    pixels = data.images[loaded.split.train] / 255
    assert spec.mean == pytest.approx([pixels.mean()] * 3, abs=5e-5)
    assert spec.std == pytest.approx([pixels.std()] * 3, abs=5e-5)
