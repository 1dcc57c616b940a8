"""The rules that cut a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.sampling import Draw, IndexLists, PerClass, UnseenClasses
from hashbench.datasets.reading.index_list import read_index_list, write_index_list

LABELS = np.eye(4, dtype=np.uint8)[np.arange(40) % 4]


def per_class_counts(positions: np.ndarray) -> list[int]:
    counts: list[int] = np.bincount(positions % 4, minlength=4).tolist()
    return counts


def test_roles_take_equal_numbers_of_each_class_and_the_rest() -> None:
    rule = PerClass(
        0,
        {
            "query": Draw(per_class=2),
            "train": Draw(per_class=3, without=("query",)),
            "database": Draw(without=("query", "train")),
        },
    )
    split = rule.split(LABELS)
    assert per_class_counts(split.query) == [2] * 4
    assert per_class_counts(split.train) == [3] * 4
    together = np.concatenate([split.query, split.train, split.database])
    assert sorted(together) == list(range(40))


def test_roles_are_drawn_from_their_parts() -> None:
    rule = PerClass(
        0,
        {
            "query": Draw((20, 40), per_class=2),
            "train": Draw((0, 20), per_class=2),
            "database": Draw(without=("query",)),
        },
    )
    split = rule.split(LABELS)
    assert split.query.min() >= 20
    assert split.train.max() < 20
    assert set(split.train) <= set(split.database)
    assert set(split.database) == set(range(40)) - set(split.query)


def test_lists_rise_and_are_64_bit() -> None:
    split = PerClass(3, {role: Draw(per_class=4) for role in ("query", "train", "database")}).split(
        LABELS
    )
    for positions in (split.query, split.train, split.database):
        assert positions.dtype == np.int64
        assert np.all(np.diff(positions) > 0)


def test_the_seed_decides_the_draw() -> None:
    draws = {role: Draw(per_class=4) for role in ("query", "train", "database")}
    zero, again, one = (PerClass(seed, draws).split(LABELS).query.tolist() for seed in (0, 0, 1))
    assert zero == again != one


def test_too_few_images_of_a_class_are_an_error_that_counts_them() -> None:
    draws = {"query": Draw(per_class=8), "train": Draw(per_class=3, without=("query",))}
    rule = PerClass(0, draws | {"database": Draw()})
    with pytest.raises(DataError, match="train takes 3 images of each class, but class 0 has 2"):
        rule.split(LABELS)


def test_a_part_beyond_the_dataset_is_an_error() -> None:
    draws = {"query": Draw((20, 41)), "train": Draw(), "database": Draw()}
    with pytest.raises(DataError, match="positions 20 to 40, but there are 40 images"):
        PerClass(0, draws).split(LABELS)


def test_the_per_class_rule_refuses_several_labels_and_none() -> None:
    labels = LABELS.copy()
    labels[0] = 0
    labels[1] = 1
    with pytest.raises(DataError, match="found 2 images with none or several"):
        PerClass(0, {role: Draw() for role in ("query", "train", "database")}).split(labels)


UNSEEN_DRAWS = {
    "query": Draw(per_class=2),
    "train": Draw(per_class=3),
    "database": Draw(without=("query",)),
}


def test_unseen_classes_are_asked_for_and_searched_and_all_others_trained_on() -> None:
    rule = UnseenClasses(0, 1, UNSEEN_DRAWS)
    split = rule.split(LABELS)
    (unseen,) = rule.unseen_classes(4)
    seen = set(range(4)) - {unseen}
    assert set(split.query % 4) == set(split.database % 4) == {unseen}
    assert per_class_counts(split.train) == [3 * (number in seen) for number in range(4)]
    assert len(split.query) == 2
    assert sorted([*split.query, *split.database]) == list(range(unseen, 40, 4))


def test_the_seed_decides_which_classes_are_unseen_and_more_of_them_contain_fewer() -> None:
    chosen = {tuple(UnseenClasses(seed, 2, {}).unseen_classes(4)) for seed in range(40)}
    assert len(chosen) == 6  # every pair of four classes comes up
    few, many = (set(UnseenClasses(7, count, {}).unseen_classes(10)) for count in (3, 5))
    assert len(few) == 3
    assert few < many


def test_no_class_left_for_training_is_an_error_that_counts_them() -> None:
    rule = UnseenClasses(0, 4, UNSEEN_DRAWS)
    with pytest.raises(DataError, match="fewer unseen classes than the dataset's 4, found 4"):
        rule.split(LABELS)


def test_only_classes_of_a_role_need_as_many_images_as_it_takes() -> None:
    rule = UnseenClasses(0, 1, UNSEEN_DRAWS)
    (unseen,) = rule.unseen_classes(4)
    few = np.flatnonzero((np.arange(40) % 4 != unseen) | (np.arange(40) < 8))
    assert len(rule.split(LABELS[few]).train) == 9  # 2 of the unseen class are enough for queries
    other = (unseen + 1) % 4
    few = np.flatnonzero((np.arange(40) % 4 != other) | (np.arange(40) < 8))
    with pytest.raises(
        DataError, match=f"unseen-classes: train takes 3 .*, but class {other} has 2"
    ):
        rule.split(LABELS[few])


def test_the_unseen_rule_refuses_several_labels_too() -> None:
    labels = LABELS.copy()
    labels[0] = 1
    with pytest.raises(DataError, match="rule unseen-classes: expected one label an image"):
        UnseenClasses(0, 1, UNSEEN_DRAWS).split(labels)


def lists_in(folder: Path, last: int) -> IndexLists:
    for role, positions in {"query": [0, 3], "train": [1, 2], "database": [4, last]}.items():
        write_index_list(folder / f"{role}.txt", np.array(positions), comment=role)
    return IndexLists(folder, {role: f"{role}.txt" for role in ("query", "train", "database")})


def test_lists_come_back_as_they_were_written(tmp_path: Path) -> None:
    split = lists_in(tmp_path, 39).split(LABELS)
    assert (split.query.tolist(), split.train.tolist(), split.database.tolist()) == (
        [0, 3],
        [1, 2],
        [4, 39],
    )


def test_a_position_beyond_the_dataset_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"database\.txt: expected positions below 40.*found 40"):
        lists_in(tmp_path, 40).split(LABELS)


def test_a_missing_list_is_an_error_that_names_it(tmp_path: Path) -> None:
    lists = lists_in(tmp_path, 39)
    (tmp_path / "train.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt: the index list cannot be read"):
        lists.split(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n2\n", ":3: expected a position above 2, found 2"),
        ("5\n# note\n4\n", ":3: expected a position above 5, found 4"),
        ("1\ntwo\n", ":2: expected a position, found 'two'"),
        ("-1\n", ":1: expected a position, found '-1'"),
        ("1.5\n", ":1: expected a position, found '1.5'"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_index_list(path)
    assert str(caught.value) == f"{path}{message}"
