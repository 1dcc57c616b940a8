"""Splits of imported images: drawn by shares, or checked lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.importing.split import (
    AutoSplit,
    ProtocolText,
    draw_split,
    listed_split,
    write_protocol,
)
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.checks import check_split
from hashbench.datasets.protocols.protocol import read_protocol

SIZES = (60, 30, 10)


@pytest.fixture
def labels() -> np.ndarray:
    """100 images: 60 of the first class, 30 of the second, 10 of the third, mixed."""
    numbers = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], SIZES))
    return np.eye(3, dtype=np.uint8)[numbers]


def per_class(labels: np.ndarray, positions: np.ndarray) -> list[int]:
    return labels[positions].sum(axis=0).tolist()


def none_of(labels: np.ndarray) -> np.ndarray:
    return np.zeros(len(labels), dtype=np.bool_)


def test_every_class_gives_its_share(labels: np.ndarray) -> None:
    split = draw_split(labels, none_of(labels), rule=AutoSplit(query_share=0.1, train_share=0.5))
    assert per_class(labels, split.query) == [6, 3, 1]
    assert per_class(labels, split.train) == [27, 14, 5]  # of 54, 27 and 9, halves rounded up
    assert sorted([*split.query, *split.database]) == list(range(100))
    assert set(split.train) <= set(split.database)


def test_the_seed_and_nothing_else_decides(labels: np.ndarray) -> None:
    one, same, other = (
        draw_split(labels, none_of(labels), rule=AutoSplit(seed=seed)) for seed in (3, 3, 4)
    )
    assert one.query.tolist() == same.query.tolist()
    assert one.train.tolist() == same.train.tolist()
    assert one.query.tolist() != other.query.tolist()


def test_most_queries_and_most_training_images_bound_the_shares(labels: np.ndarray) -> None:
    rule = AutoSplit(query_share=0.5, train_share=0.5, most_queries=10, most_train=20)
    split = draw_split(labels, none_of(labels), rule=rule)
    assert len(split.query) == 10
    assert len(split.train) == pytest.approx(20, abs=2)


def test_a_copy_is_never_a_query(labels: np.ndarray) -> None:
    copies = none_of(labels)
    copies[::2] = True
    split = draw_split(labels, copies, rule=AutoSplit(query_share=0.9))
    assert len(split.query) >= 40
    assert (split.query % 2 == 1).all()


def test_an_image_without_a_label_is_only_searched(labels: np.ndarray) -> None:
    labels[:20] = 0
    split = draw_split(labels, none_of(labels), rule=AutoSplit(query_share=0.5, train_share=0.9))
    assert min(split.query.min(), split.train.min()) >= 20
    assert set(range(20)) <= set(split.database.tolist())


def test_nothing_to_draw_from_is_an_error() -> None:
    labels = np.eye(3, dtype=np.uint8)
    with pytest.raises(DataError, match="a class with two images"):
        draw_split(labels, none_of(labels), rule=AutoSplit())


def positions(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


NAMES = tuple("abcdef")


@pytest.mark.parametrize(
    ("train", "query", "database", "what"),
    [
        ([0, 1], [1, 2], [3], "1 queries are in the training list too .first: 'b'"),
        ([0, 1], [2], [0, 3], "1 of 2 training images are in the database list"),
        ([], [2], [0, 3], "the train list names no readable image"),
        ([0], [], [0, 3], "the query list names no readable image"),
    ],
)
def test_lists_that_no_protocol_can_have_are_refused(
    train: list[int], query: list[int], database: list[int], what: str
) -> None:
    roles = {
        "train": positions(*train),
        "query": positions(*query),
        "database": positions(*database),
    }
    with pytest.raises(DataError, match=what):
        listed_split(roles, NAMES)


def text(**changes: object) -> ProtocolText:
    facts = {
        "name": "mine",
        "images": 6,
        "side": 64,
        "classes": 2,
        "image_size": 56,
        "pixels": "0" * 64,
        "labels": "1" * 64,
        "notes": 'Of "mine".',
    }
    return ProtocolText(**(facts | changes))


def test_a_written_protocol_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    split = Split(train=positions(0, 3), query=positions(1), database=positions(0, 2, 3, 4, 5))
    spec = read_protocol(write_protocol(tmp_path / "protocols", text(), split))
    assert (spec.name, spec.dataset) == ("mine@1", "imported/mine")
    assert (spec.images, spec.shape, spec.classes) == (6, (64, 64, 3), 2)
    assert (spec.image_size, spec.augmentation) == (56, "crop_flip")
    assert spec.notes == 'Of "mine".'
    assert spec.train_in_database
    assert not spec.queries_in_database
    found = spec.sampling.split(np.zeros((6, 2), dtype=np.uint8))
    check_split(found, spec)
    assert found.database.tolist() == [0, 2, 3, 4, 5]


def test_queries_that_are_searched_are_allowed_only_where_the_protocol_says_so(
    tmp_path: Path,
) -> None:
    split = Split(train=positions(0), query=positions(1, 2), database=positions(1, 2, 3))
    path = write_protocol(tmp_path, text(image_size=64), split)
    spec = read_protocol(path)
    assert spec.queries_in_database
    assert spec.augmentation == "flip"
    check_split(split, spec)

    path.write_text(path.read_text().replace("queries_in_database = true\n", ""))
    with pytest.raises(DataError, match="expected no query in the database list, found 2"):
        check_split(split, read_protocol(path))
