"""The protocols of the official photo sets: what they state, and what they say they cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.core.registry import Kind, registry
from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.labels import keep_columns
from hashbench.datasets.loading import prepare
from hashbench.datasets.protocols.checks import identical_queries, unchecked
from hashbench.datasets.protocols.protocol import (
    FOLDER,
    ProtocolSpec,
    load_protocol,
    protocols_of,
    read_protocol,
)
from hashbench.datasets.protocols.sampling import Draw, PerClass
from hashbench.datasets.sources.mirflickr import POTENTIAL

Seal = Callable[..., ProtocolSpec]
LISTS = {"labels", "query", "train", "database"}
# Train images of those of the hundred synsets, by column, that have not 1,300.
FEWER = {
    **{41: 1165, 54: 1029, 64: 1137, 65: 1272, 68: 1133, 69: 1180, 74: 1152, 76: 1117},
    **{79: 1249, 80: 1162, 94: 1207},
}
# name: dataset, images, labels, (train, query, database), training images searched, mAP@
STATED = {
    "coco@1": ("coco", 122_218, 80, (10_000, 5_000, 117_218), True, 5_000),
    "imagenet100@1": ("imagenet100", 133_503, 100, (13_000, 5_000, 128_503), True, 1_000),
    "mirflickr-38@1": ("mirflickr", 25_000, 38, (4_000, 1_000, 20_000), False, None),
    "mirflickr-24@1": ("mirflickr_tagged", 20_015, 24, (10_000, 2_000, 18_015), True, None),
    "mirflickr-24-full@1": ("mirflickr", 25_000, 24, (5_000, 2_000, 23_000), True, 5_000),
    "nuswide_10@1": ("nuswide", 269_648, 10, (10_500, 5_000, None), True, 5_000),
    "nuswide_21@1": ("nuswide", 269_648, 21, (10_500, 2_100, 193_734), True, 5_000),
    "nuswide_21_m@1": ("nuswide_hashnet", 223_496, 21, (10_500, 2_100, None), True, 5_000),
    "nuswide_81_m@1": ("nuswide_hashnet", 223_496, 81, (10_000, 5_000, None), True, 5_000),
    "voc2012@1": ("voc2012", 11_540, 20, (4_000, 1_000, 6_540), False, None),
}


@pytest.mark.parametrize("name", STATED)
def test_it_states_the_sizes_of_the_field(name: str) -> None:
    dataset, images, labels, (train, query, database), inside, map_at = STATED[name]
    spec = load_protocol(name)
    assert (spec.dataset, spec.images, spec.classes) == (dataset, images, labels)
    assert (spec.sizes["train"], spec.sizes["query"]) == (train, query)
    assert spec.sizes.get("database") == database
    assert (spec.train_in_database, spec.map_at) == (inside, map_at)
    assert (spec.image_size, spec.augmentation) == (224, "crop_flip")
    assert len(spec.columns) in (0, labels)


@pytest.mark.parametrize("name", STATED)
def test_its_dataset_has_it_and_a_default(name: str) -> None:
    dataset = STATED[name][0]
    assert name in protocols_of(dataset)
    assert registry().load(Kind.DATASET, dataset).default_protocol in protocols_of(dataset)


@pytest.mark.parametrize(
    "name", ["coco@1", "mirflickr-38@1", "mirflickr-24-full@1", "voc2012@1", "imagenet100@1"]
)
def test_rule_and_seed_give_the_stated_lists(name: str) -> None:
    spec = load_protocol(name)
    labels = np.ones((spec.images, 1), dtype=np.uint8)
    if name == "imagenet100@1":
        train = np.repeat(np.arange(100), [FEWER.get(column, 1300) for column in range(100)])
        assert len(train) == 128_503
        # Which class a validation image is of does not matter: all of them are queries.
        numbers = np.concatenate([train, np.repeat(np.arange(100), 50)])
        labels = np.eye(100, dtype=np.uint8)[numbers]
    split = spec.sampling.split(labels)
    for role in ("train", "query", "database"):
        positions = getattr(split, role)
        assert hashlib.sha256(positions.tobytes()).hexdigest() == spec.checksums[role]
        assert len(positions) == spec.sizes[role]


def test_the_field_s_ten_and_twenty_one_concepts_are_the_most_frequent_in_order() -> None:
    concepts = load_protocol("nuswide_21@1").columns
    assert (concepts[0], concepts[-1], len(set(concepts))) == ("sky", "mountain", 21)
    assert load_protocol("nuswide_10@1").columns == concepts[:10]
    assert load_protocol("nuswide_21_m@1").columns == concepts
    assert load_protocol("mirflickr-24@1").columns == POTENTIAL


def test_the_walk_gives_the_stated_sizes_on_labels_like_those_of_nus_wide() -> None:
    spec = load_protocol("nuswide_21@1")
    generator = np.random.default_rng(0)
    labels = np.zeros((spec.images, 21), dtype=np.uint8)
    labels[:195_834] = np.eye(21, dtype=np.uint8)[generator.integers(0, 21, 195_834)]
    labels[:195_834, 0] |= generator.random(195_834) < 0.3
    split = spec.sampling.split(labels)
    assert {role: len(getattr(split, role)) for role in spec.sizes} == dict(spec.sizes)
    assert split.database.max() < 195_834


@pytest.mark.parametrize("name", STATED)
def test_what_it_cannot_check_is_a_warning(name: str) -> None:
    spec = load_protocol(name)
    assert set(spec.checksums) in (LISTS, set())
    (warning,) = unchecked(spec)
    assert "SHA-256 of pixels" in warning
    assert ("no size of database" in warning) is ("database" not in spec.sizes)


def test_a_protocol_that_checks_everything_warns_of_nothing() -> None:
    assert unchecked(load_protocol("cifar10-cib@1")) == ()


def test_what_a_protocol_does_not_state_is_recorded_and_the_rest_checked(
    toy: ImageData, seal: Seal
) -> None:
    draws = {
        "query": Draw(per_class=1),
        "train": Draw(per_class=2, without=("query",)),
        "database": Draw(without=("query", "train")),
    }
    rule = PerClass(0, draws)
    split: Split = rule.split(toy.labels)
    whole = replace(seal(toy, split), sampling=rule)
    stated = {what: whole.checksums[what] for what in ("labels", "query")}
    loose = replace(whole, checksums=stated, sizes={"train": 8, "query": 4})

    changed = ImageData(toy.images ^ 1, toy.labels, toy.classes)
    loaded = prepare(changed, loose)
    assert loaded.checksums["pixels"] != whole.checksums["pixels"]
    assert set(loaded.checksums) == {"pixels", *LISTS}
    assert loaded.sizes["database"] == 28
    assert "no SHA-256 of pixels, train, database and no size of database" in loaded.warnings[0]

    with pytest.raises(DataError, match="labels: expected SHA-256"):
        prepare(ImageData(toy.images, toy.labels[::-1].copy(), toy.classes), loose)


def test_a_checksum_that_the_cache_knows_is_the_one_checked(toy: ImageData, seal: Seal) -> None:
    draws = {
        "query": Draw(per_class=1),
        "train": Draw(per_class=2, without=("query",)),
        "database": Draw(without=("query", "train")),
    }
    rule = PerClass(0, draws)
    spec = replace(seal(toy, rule.split(toy.labels)), sampling=rule)
    known = replace(toy, pixels_sha256=spec.checksums["pixels"])
    assert prepare(known, spec).checksums["pixels"] == spec.checksums["pixels"]
    with pytest.raises(DataError, match=f"pixels: expected SHA-256 .*found {'1' * 64}"):
        prepare(replace(toy, pixels_sha256="1" * 64), spec)


def test_images_that_share_a_row_only_are_not_taken_for_equal(toy: ImageData) -> None:
    images = toy.images.copy()
    images[:, 2] = 7
    split = Split(*(np.array(rows) for rows in ([3], [0, 1, 2], [4, 5, 6])))
    assert identical_queries(replace(toy, images=images), split) == ()
    images[5] = images[1]
    assert identical_queries(replace(toy, images=images), split) == (
        "1 of 3 queries have a pixel-identical image in the database or the training set "
        "(first: query 1 = 5)",
    )


def test_some_labels_of_a_dataset_are_kept_in_the_order_asked_for(toy: ImageData) -> None:
    some = keep_columns(toy, ("d", "b"))
    assert some.classes == ("d", "b")
    assert some.labels[:4].tolist() == [[0, 0], [0, 1], [0, 0], [1, 0]]
    assert some.images is toy.images
    assert keep_columns(toy, ()) is toy
    with pytest.raises(DataError, match=r"keeps the label 'sky', which the dataset does not have"):
        keep_columns(toy, ("sky",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("query = 1000\ntrain = 4000\n", "query = 0\ntrain = 4000\n", "greater than 0"),
        ("seed = 0", "seed = 0\nper_class = 3", "per_class"),
        ('rule = "random"', 'rule = "wlak"', "sampling"),
        ("[input]", "[labels]\ncolumns = []\n\n[input]", "labels.columns"),
        ("query = 1000\ntrain = 4000\ndatabase", "query = 1000\ndatabase", "sizes.train"),
    ],
)
def test_a_file_that_does_not_follow_the_schema_is_refused(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    text = FOLDER / "voc2012@1.toml"
    content = text.read_text()
    assert old in content
    path = tmp_path / "voc2012@1.toml"
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as caught:
        read_protocol(path)
    assert "\n" not in str(caught.value)


def test_cifar10_cib_asks_the_test_part_and_searches_the_train_part() -> None:
    spec = load_protocol("cifar10-cib@1")
    assert (spec.sizes["train"], spec.sizes["query"], spec.sizes["database"]) == (
        5_000,
        5_000,
        50_000,
    )
    assert (spec.map_at, spec.train_in_database) == (1_000, True)
    labels = np.eye(10, dtype=np.uint8)[np.arange(60_000) % 10]
    split = spec.sampling.split(labels)
    assert split.query.min() >= 50_000
    assert split.database.tolist() == list(range(50_000))
    assert labels[split.query].sum(axis=0).tolist() == [500] * 10
    assert labels[split.train].sum(axis=0).tolist() == [500] * 10
