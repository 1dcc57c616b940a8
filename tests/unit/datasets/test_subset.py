"""Class-balanced subsets and validation parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashbench.core.cell import Subset
from hashbench.core.errors import ConfigError
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.subset import draw_subset, hold_out

LABELS = np.eye(5, dtype=np.uint8)[np.arange(200) % 5]
SPLIT = Split(train=np.arange(0, 100), query=np.arange(100, 120), database=np.arange(120, 200))


def classes_of(positions: np.ndarray, labels: np.ndarray = LABELS) -> list[int]:
    counts: list[int] = labels[positions].sum(axis=0).tolist()
    return counts


def test_every_class_gets_the_same_number() -> None:
    drawn = draw_subset(SPLIT, LABELS, subset=Subset(train=50, query=5, database=20))
    assert classes_of(drawn.train) == [10] * 5
    assert classes_of(drawn.query) == [1] * 5
    assert classes_of(drawn.database) == [4] * 5


def test_lists_are_drawn_from_their_own_and_rise() -> None:
    drawn = draw_subset(SPLIT, LABELS, subset=Subset(train=33, query=7, database=11))
    for role in ("train", "query", "database"):
        assert set(getattr(drawn, role)) <= set(getattr(SPLIT, role))
        assert np.all(np.diff(getattr(drawn, role)) > 0)


def test_no_size_keeps_a_list_whole() -> None:
    drawn = draw_subset(SPLIT, LABELS, subset=Subset(train=10))
    assert drawn.query.tolist() == SPLIT.query.tolist()
    assert drawn.database.tolist() == SPLIT.database.tolist()


def test_odd_images_differ_by_one_between_classes() -> None:
    drawn = draw_subset(SPLIT, LABELS, subset=Subset(train=13))
    assert sorted(classes_of(drawn.train)) == [2, 2, 3, 3, 3]


def test_a_small_class_is_taken_whole_and_the_others_share_the_rest() -> None:
    numbers = np.array([0] * 2 + [1] * 10 + [2] * 30)
    labels = np.eye(3, dtype=np.uint8)[numbers]
    split = Split(train=np.arange(42), query=np.arange(42), database=np.arange(42))
    drawn = draw_subset(split, labels, subset=Subset(train=20, query=33, database=42))
    assert classes_of(drawn.train, labels) == [2, 9, 9]
    assert classes_of(drawn.query, labels) == [2, 10, 21]
    assert classes_of(drawn.database, labels) == [2, 10, 30]


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(0, 10_000),
    st.data(),
)
def test_sizes_are_met_and_no_class_could_be_raised_to_a_fairer_share(
    numbers: list[int], seed: int, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(numbers)))
    labels = np.eye(5, dtype=np.uint8)[numbers]
    everything = np.arange(len(numbers))
    split = Split(train=everything, query=everything, database=everything)
    drawn = draw_subset(split, labels, subset=Subset(train=size, seed=seed)).train
    assert len(set(drawn)) == len(drawn) == size
    counts, available = labels[drawn].sum(axis=0).astype(int), labels.sum(axis=0).astype(int)
    unfinished = counts[counts < available]
    if len(unfinished):
        assert counts.max() <= unfinished.min() + 1


def test_the_seed_decides_and_a_larger_subset_contains_a_smaller_one() -> None:
    small, large = (
        set(draw_subset(SPLIT, LABELS, subset=Subset(train=size)).train) for size in (20, 50)
    )
    other = set(draw_subset(SPLIT, LABELS, subset=Subset(train=20, seed=1)).train)
    assert small < large
    assert other != small


def test_equal_lists_give_equal_subsets_so_training_images_stay_in_the_database() -> None:
    split = Split(train=SPLIT.train, query=SPLIT.query, database=SPLIT.train)
    drawn = draw_subset(split, LABELS, subset=Subset(train=20, database=40))
    assert set(drawn.train) < set(drawn.database)


def test_an_image_with_several_labels_counts_for_its_first() -> None:
    labels = np.array([[1, 1], [1, 0], [1, 1], [0, 1], [0, 1], [0, 1]], dtype=np.uint8)
    split = Split(train=np.arange(6), query=np.arange(6), database=np.arange(6))
    drawn = draw_subset(split, labels, subset=Subset(train=4)).train
    assert np.count_nonzero(drawn < 3) == np.count_nonzero(drawn >= 3) == 2


def test_images_without_a_label_are_a_class_of_their_own() -> None:
    labels = np.array([[1], [1], [1], [0], [0], [0]], dtype=np.uint8)
    split = Split(train=np.arange(6), query=np.arange(6), database=np.arange(6))
    drawn = draw_subset(split, labels, subset=Subset(train=4)).train
    assert np.count_nonzero(drawn < 3) == 2


def test_all_sizes_that_do_not_fit_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        draw_subset(SPLIT, LABELS, subset=Subset(train=101, query=0, database=80))
    assert list(caught.value.problems) == [
        "subset: train: expected 1 to 100 (the size of the list), got 101",
        "subset: query: expected 1 to 20 (the size of the list), got 0",
    ]


def test_a_held_out_part_has_its_share_of_each_class_and_leaves_the_rest() -> None:
    kept, held = hold_out(LABELS, 0.1, seed=0)
    assert classes_of(held) == [4] * 5
    assert classes_of(kept) == [36] * 5
    assert sorted([*kept, *held]) == list(range(200))
    assert np.all(np.diff(kept) > 0)
    assert np.all(np.diff(held) > 0)


def test_a_class_of_two_gives_one_and_keeps_one_whatever_the_fraction() -> None:
    labels = np.eye(2, dtype=np.uint8)[[0, 0, 1]]
    for fraction in (0.01, 0.5, 0.99):
        kept, held = hold_out(labels, fraction, seed=0)
        assert classes_of(held, labels) == [1, 0]
        assert classes_of(kept, labels) == [1, 1]


def test_the_seed_decides_what_is_held_out() -> None:
    zero, again, one = (tuple(hold_out(LABELS, 0.2, seed=seed)[1]) for seed in (0, 0, 1))
    assert zero == again != one


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_a_fraction_outside_zero_and_one_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match="validation: fraction: expected between 0 and 1, got"):
        hold_out(LABELS, fraction, seed=0)


def test_nothing_to_hold_out_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no class has two images"):
        hold_out(np.eye(3, dtype=np.uint8), 0.5, seed=0)
