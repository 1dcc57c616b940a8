"""The sampling rules of multi-label protocols: ``random`` and ``walk``."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.multilabel_sampling import RandomDraw, Walk
from hashbench.datasets.protocols.shuffle import shuffled


@pytest.fixture
def labels() -> NDArray[np.uint8]:
    """2,000 images, six labels of falling frequency, a good part without any."""
    chances = np.array([0.5, 0.3, 0.2, 0.1, 0.08, 0.06])
    return (np.random.default_rng(3).random((2000, 6)) < chances).astype(np.uint8)


def walk_by_sets(
    labels: NDArray[np.uint8], order: NDArray[np.int64], *, train: int, query: int
) -> dict[str, set[int]]:
    """The rule as the field's description has it, with plain counters."""
    need = {"train": dict.fromkeys(range(6), train), "query": dict.fromkeys(range(6), query)}
    roles: dict[str, set[int]] = {"train": set(), "query": set(), "database": set()}
    for image in order.tolist():
        mine = [label for label in range(6) if labels[image, label]]
        for role in ("train", "query"):
            wanting = [label for label in mine if need[role][label] > 0]
            if wanting:
                need[role][wanting[0]] -= 1
                roles[role].add(image)
                break
        else:
            roles["database"].add(image)
    roles["database"] |= roles["train"]
    return roles


def test_the_walk_gives_each_label_its_share_and_the_rest_to_the_database(
    labels: NDArray[np.uint8],
) -> None:
    split = Walk(5, query=7, train=20, train_in_database=True).split(labels)
    order = shuffled(np.arange(2000, dtype=np.int64), 5, purpose="protocol")
    expected = walk_by_sets(labels, order, train=20, query=7)
    for role, positions in expected.items():
        assert getattr(split, role).tolist() == sorted(positions)
    assert (len(split.train), len(split.query), len(split.database)) == (120, 42, 2000 - 42)
    assert labels[split.train].any(axis=1).all()
    assert (labels[split.train].sum(axis=0) >= 20).all()
    assert (labels[split.query].sum(axis=0) >= 7).all()


def test_of_an_image_with_two_labels_only_the_first_that_needs_one_counts() -> None:
    rows = np.array([[1, 1], [1, 1], [1, 1], [1, 1], [0, 0]], dtype=np.uint8)
    split = Walk(0, query=1, train=1, train_in_database=False).split(rows)
    order = [image for image in shuffled(np.arange(5), 0, purpose="protocol") if image != 4]
    assert split.train.tolist() == sorted(order[:2])
    assert split.query.tolist() == sorted(order[2:])
    assert split.database.tolist() == [4]


def test_a_label_on_too_few_images_is_an_error_that_says_how_many_are_missing() -> None:
    rows = np.array([[1, 0]] * 9 + [[0, 1]] * 3, dtype=np.uint8)
    with pytest.raises(DataError, match="label 1 is on too few images: 1 more queries"):
        Walk(0, query=2, train=2, train_in_database=True).split(rows)
    with pytest.raises(DataError, match="label 1 is on too few images: 2 more training images"):
        Walk(0, query=1, train=5, train_in_database=True).split(rows)


def test_unlabelled_images_are_searched_unless_only_labelled_ones_are_wanted(
    labels: NDArray[np.uint8],
) -> None:
    unlabelled = set(np.flatnonzero(~labels.any(axis=1)).tolist())
    assert unlabelled
    for rule in (Walk, RandomDraw):
        every = rule(1, query=5, train=10, train_in_database=True).split(labels)
        some = rule(1, query=5, train=10, train_in_database=True, labelled_only=True).split(labels)
        seen = set(every.database.tolist()) | set(every.query.tolist())
        assert seen == set(range(2000))
        kept = set(some.database.tolist()) | set(some.query.tolist())
        assert kept == set(range(2000)) - unlabelled


@pytest.mark.parametrize("inside", [True, False])
def test_random_takes_queries_then_training_images_from_one_seeded_order(
    inside: bool, labels: NDArray[np.uint8]
) -> None:
    split = RandomDraw(9, query=100, train=300, train_in_database=inside).split(labels)
    order = shuffled(np.arange(2000, dtype=np.int64), 9, purpose="protocol").tolist()
    assert split.query.tolist() == sorted(order[:100])
    assert split.train.tolist() == sorted(order[100:400])
    assert split.database.tolist() == sorted(order[100:] if inside else order[400:])
    other = RandomDraw(10, query=100, train=300, train_in_database=inside).split(labels)
    assert other.query.tolist() != split.query.tolist()


@pytest.mark.parametrize(("inside", "enough"), [(True, 10), (False, 11)])
def test_random_needs_enough_images_for_every_role(inside: bool, enough: int) -> None:
    rule = RandomDraw(0, query=4, train=6, train_in_database=inside)
    split = rule.split(np.ones((enough, 2), dtype=np.uint8))
    assert len(split.database) == (6 if inside else 1)
    with pytest.raises(DataError, match=f"than the 10 queries .*found {enough - 1}"):
        rule.split(np.ones((enough - 1, 2), dtype=np.uint8))
