"""The rule by which labels of made images occur together."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.datasets.sources.label_mixtures import LabelMixture


def mixture(*, share: float, images: int = 4000, seed: int = 0) -> LabelMixture:
    """Up to three of five classes; 0 and 1 follow each other, and so do 2, 3 and 4 in a ring."""
    return LabelMixture(
        images, queries=10, most=3, companions=(1, 0, 3, 4, 2), share=share, seed=seed, member="x"
    )


def test_classes_of_an_image_are_all_different_and_the_places_after_them_empty() -> None:
    for row in mixture(share=0.5).classes():
        present = row[row >= 0]
        assert len(set(present)) == len(present) in (1, 2, 3)
        assert (row[len(present) :] == -1).all()


def test_a_companion_follows_always_where_its_share_is_one_unless_it_is_there() -> None:
    slots = mixture(share=1.0).classes()
    second = slots[slots[:, 1] >= 0]
    assert (second[:, 1] == np.array([1, 0, 3, 4, 2])[second[:, 0]]).all()
    third = second[second[:, 2] >= 0]
    ring = third[third[:, 0] >= 2]
    assert (np.sort(ring, axis=1) == [2, 3, 4]).all()
    pair = third[third[:, 0] < 2]  # 0 and 1 are both there: any of the other three
    assert np.bincount(pair[:, 2], minlength=5)[:2].tolist() == [0, 0]
    assert (np.bincount(pair[:, 2], minlength=5)[2:] > 0.25 * len(pair)).all()


def test_without_a_share_every_other_class_follows_equally_often() -> None:
    slots = mixture(share=0.0, images=20_000).classes()
    of_zero = slots[(slots[:, 0] == 0) & (slots[:, 1] >= 0)]
    counts = np.bincount(of_zero[:, 1], minlength=5)
    assert counts[0] == 0
    assert counts[1:] / len(of_zero) == pytest.approx(np.full(4, 0.25), abs=0.04)


def test_labels_are_the_classes_of_each_image() -> None:
    slots = np.array([[4, 0, 2], [3, -1, -1]])
    rows = mixture(share=0.5, images=2).labels(slots)
    assert rows.tolist() == [[1, 0, 1, 0, 1], [0, 0, 0, 1, 0]]


def test_members_come_from_the_pool_of_their_class_and_their_part() -> None:
    rule = mixture(share=0.5, images=300)
    slots = rule.classes()
    reserved = {number: np.arange(number * 100, number * 100 + 3) for number in range(5)}
    others = {number: np.arange(number * 100 + 50, number * 100 + 60) for number in range(5)}
    members = rule.members(slots, lambda number: (reserved[number], others[number]))
    for image, (row, drawn) in enumerate(zip(slots, members, strict=True)):
        pools = reserved if image < 10 else others
        for number, member in zip(row, drawn, strict=True):
            assert (member == -1) if number < 0 else (member in pools[number])
    assert len(np.unique(members)) > 45  # of 65 and "none": they are spread over the pools


def test_the_seed_decides_all_draws_and_a_smaller_set_is_the_front_of_a_larger() -> None:
    zero, again, one = (mixture(share=0.5, seed=seed).classes() for seed in (0, 0, 1))
    assert np.array_equal(zero, again)
    assert not np.array_equal(zero, one)
    assert np.array_equal(mixture(share=0.5, images=50).classes(), zero[:50])
