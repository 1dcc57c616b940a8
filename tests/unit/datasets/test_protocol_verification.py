"""Verification of a protocol: what is compared, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.protocols.protocol_verification import Line, mark_images, verify_protocol
from hashbench.datasets.protocols.sampling import Draw, PerClass

DRAWS = {
    "query": Draw(per_class=2),
    "train": Draw(per_class=3, without=("query",)),
    "database": Draw(without=("query", "train")),
}
Seal = Callable[..., ProtocolSpec]
TITLES = [
    "pixels",
    "labels",
    "query",
    "train",
    "database",
    "shared by id",
    "equal in pixels",
    "look alike",
    "images a class",
    "without a label",
]


@pytest.fixture
def data() -> ImageData:
    """40 images of noise in four classes: no two are alike."""
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12), dtype=np.uint8)
    return ImageData(images, np.eye(4, dtype=np.uint8)[np.arange(40) % 4], ("a", "b", "c", "d"))


@pytest.fixture
def spec(data: ImageData, seal: Seal) -> ProtocolSpec:
    rule = PerClass(0, DRAWS)
    return replace(seal(data, rule.split(data.labels)), sampling=rule)


class Rule:
    """A rule that gives fixed lists."""

    def __init__(self, query: list[int], train: list[int], database: list[int]) -> None:
        lists = (train, query, database)
        self.lists = Split(*(np.array(positions, dtype=np.int64) for positions in lists))

    def split(self, labels: np.ndarray) -> Split:
        return self.lists


def fixed(seal: Seal, data: ImageData, rule: Rule, **spec: bool) -> ProtocolSpec:
    return replace(seal(data, rule.lists, **spec), sampling=rule)


def seen(data: ImageData, spec: ProtocolSpec) -> dict[str, Line]:
    return {line.title: line for line in verify_protocol(data, spec, marks=mark_images(data))}


def mismatches(lines: dict[str, Line]) -> list[str]:
    return [title for title, line in lines.items() if line.verdict == "MISMATCH"]


def test_a_sound_protocol_is_as_stated_in_every_line(data: ImageData, spec: ProtocolSpec) -> None:
    lines = seen(data, spec)
    assert list(lines) == TITLES
    told = {title for title, line in lines.items() if line.verdict != "ok"}
    assert told == {"images a class"}
    assert lines["train"].seen == f"12 images, SHA-256 {spec.checksums['train'][:12]}"
    assert lines["images a class"].seen == "query 2, train 3, database 5"


def test_another_seed_gives_other_lists_than_those_stated(
    data: ImageData, spec: ProtocolSpec
) -> None:
    lines = seen(data, replace(spec, sampling=PerClass(1, DRAWS)))
    assert mismatches(lines) == ["query", "train", "database"]
    assert lines["query"].seen.endswith(f"; the protocol states {spec.checksums['query'][:12]}")


def test_another_size_is_told_with_both(data: ImageData, spec: ProtocolSpec) -> None:
    lines = seen(data, replace(spec, sizes={**spec.sizes, "train": 13}))
    assert mismatches(lines) == ["train"]
    assert lines["train"].seen == "12 images; the protocol states 13"


def test_changed_data_are_the_only_thing_told(data: ImageData, spec: ProtocolSpec) -> None:
    images = data.images.copy()
    images[3, 0, 0] ^= 1
    (line,) = seen(replace(data, images=images), spec).values()
    assert (line.title, line.verdict) == ("data", "MISMATCH")
    assert "pixels: expected SHA-256" in line.seen


def test_a_rule_that_cannot_be_followed_is_told(data: ImageData, spec: ProtocolSpec) -> None:
    draws = {**DRAWS, "train": Draw(per_class=30)}
    (line,) = seen(data, replace(spec, sampling=PerClass(0, draws))).values()
    assert line.verdict == "MISMATCH"
    assert "train takes 30 images of each class, but class 0 has 10" in line.seen


def test_what_is_not_stated_is_no_mismatch(data: ImageData, spec: ProtocolSpec) -> None:
    lines = seen(data, replace(spec, sizes={}, checksums={}))
    unstated = [title for title, line in lines.items() if line.verdict == "unstated"]
    assert unstated == TITLES[:5]
    assert not mismatches(lines)


def test_shared_images_are_counted_and_held_against_the_definition(
    data: ImageData, seal: Seal
) -> None:
    rule = Rule([0, 1, 2], [2, 3, 4], [1, 2, 3, 5])
    lines = seen(data, fixed(seal, data, rule))
    assert mismatches(lines) == ["shared by id"]
    assert lines["shared by id"].seen.startswith(
        "query/train 1, query/database 2, train/database 2"
    )

    rule = Rule([0, 1], [3, 4], [3, 4, 5])
    inside = fixed(seal, data, rule, train_in_database=True)
    assert not mismatches(seen(data, inside))
    assert mismatches(seen(data, replace(inside, train_in_database=False))) == ["shared by id"]


def test_queries_in_the_database_are_right_where_the_definition_says_so(
    data: ImageData, seal: Seal
) -> None:
    spec = fixed(seal, data, Rule([0, 1], [3], [0, 1, 5]))
    assert mismatches(seen(data, spec)) == ["shared by id"]
    assert not mismatches(seen(data, replace(spec, queries_in_database=True)))


def test_equal_images_are_counted_between_lists_and_the_first_named(
    data: ImageData, seal: Seal
) -> None:
    data.images[5] = data.images[1]
    data.images[7] = data.images[3]
    lines = seen(data, fixed(seal, data, Rule([0, 1], [2, 3], [5, 6, 7])))
    line = lines["equal in pixels"]
    assert line.verdict == "note"
    assert line.seen == "query/train 0, query/database 1, train/database 1; the first is image 1"
    assert not mismatches(lines)


def test_queries_that_look_like_others_are_counted_with_the_first_examples(
    data: ImageData, seal: Seal
) -> None:
    data.images[...] = data.images // 2
    data.images[[2, 5, 6, 7]] = data.images[0] + np.array([4, 1, 2, 3])[:, None, None].astype("u1")
    data.images[8] = data.images[1] + np.uint8(1)
    line = seen(data, fixed(seal, data, Rule([0, 1], [2, 3], [5, 6, 7, 8])))["look alike"]
    assert line.verdict == "note"
    assert line.seen.startswith("2 of 2 queries, in 5 pairs with the database or the training set")
    examples = line.seen.partition("the first: ")[2]
    assert [pair.split(" (")[0] for pair in examples.split(", ")] == ["0 ~ 2", "0 ~ 5", "0 ~ 6"]


def test_images_without_a_label_and_classes_without_images_are_counted(
    data: ImageData, seal: Seal
) -> None:
    data.labels[[0, 9, 10]] = 0
    lines = seen(data, fixed(seal, data, Rule([0, 4], [1, 2, 5], [9, 10, 11])))
    assert lines["without a label"].seen == "query 1, train 0, database 2"
    assert lines["without a label"].verdict == "note"
    assert lines["images a class"].seen == (
        "query 1 (3 classes without), train 1 to 2 (2 classes without), "
        "database 1 (3 classes without)"
    )


def test_a_protocol_of_some_columns_is_verified_on_those(data: ImageData, seal: Seal) -> None:
    rule = Rule([0, 1], [2, 3], [4, 5, 6])
    narrow = replace(data, labels=np.ascontiguousarray(data.labels[:, [2, 0]]), classes=("c", "a"))
    spec = replace(fixed(seal, narrow, rule), columns=("c", "a"))
    lines = seen(data, spec)
    assert not mismatches(lines)
    assert lines["without a label"].seen == "query 1, train 1, database 1"
