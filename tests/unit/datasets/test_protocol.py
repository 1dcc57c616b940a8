"""Protocol files: what they say, how they are looked up, what is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.protocol import (
    FOLDER,
    load_protocol,
    protocol_names,
    protocols_of,
    read_protocol,
)
from hashbench.datasets.protocols.sampling import PerClass, UnseenClasses
from hashbench.datasets.sources import cifar10, fashion_mnist
from hashbench.datasets.sources.digits import Digits

OFFICIAL_LABELS = Path(__file__).with_name("official_labels")
# Published definitions: results exist under these digests, so they may never change.
PUBLISHED = {
    "cifar10-1@1": "d57e2ec9a202e8fc0ce628742ff08a29653531813fedba69a3748b69be1a0b5a",
    "cifar10-2-unseen@1": "08755584db316cf21de37caf5f5dfda7cba9a91336bcedcabaa16d7fee908dce",
    "cifar10-2@1": "a35239782322b9733b5b413ccf2f93e54a7fc172b114e736db241bf5fc25d719",
    "cifar10-cib-unseen@1": "a4014e26fab3d600c27f27a39f7e56515cfc791c9adb70b16c8011e066092a7c",
    "cifar10-cib@1": "c758275b753fa8497da3125ca97c45dfb5f24fc1fd3fe2427437b49eabf82988",
    "cifar10-unseen@1": "9b9ae13e15142e4efb9ba685e35061de59ae2911bd84e95dda2befee300e3226",
    "cifar10@1": "225294ccfd216dcb82b7ee557028237f48eb4c967f7d5d8ae0bb59eb02b2ad96",
    "coco@1": "9d6638f3192456dd74ae38a425b3d100f1e07c575f8b658c555badf0a35229c8",
    "digit-mixtures@1": "2139390f59abbc8866c0fb76b7f4c7b6091b161c0f082cc39f7a8d712bf3262c",
    "digits-2-unseen@1": "211ca1e06d7e5cce453867e7e8906a412d26fe7a6e25aa2f0f58fcf19833d81c",
    "digits-2@1": "5529b0099fe3f63ebca0f4fadb8425ec9c3df375a3fe2874a9d77f980fdf3052",
    "digits-unseen@1": "28b2ebf3c9f7c82903665d26eaff943dd917950edde618db36929e28d483490d",
    "digits@1": "ed5024f9d3ac3bb271fdbd4a442f5de1719677350ed85e70def16441f3909905",
    "fashion-mnist-2-unseen@1": "ad710f3adadce823894960736415c0e664a17418812c22a02eb0ca954f5805ab",
    "fashion-mnist-2@1": "192febd0b0654e84501a151fe270f62e33650fc8259a02ec13aba12988fa89c1",
    "fashion-mnist-mini-unseen@1": (
        "06c2db63cd0ad001f1e85948e01dc149a4e0ffa23f1c7f402bbdad1dacda48a8"
    ),
    "fashion-mnist-mini@1": "02096c11218bf7e1395f0ea58386defb3fe498f0944aa3b69b9d0dd615fc0058",
    "fashion-mnist-unseen@1": "33e99dc73395a626e0cc618717d84490847b4e70aeb7cb37bae48c960f3e662f",
    "fashion-mnist@1": "3abb40dc91f25c91aeea7187497c6b96220accb53f715e3fe216e86623145e04",
    "fashion-scenes@1": "7a80df7326b99597a59f1f35cfbda4baf369627e3489ebcec3d6126ba8e5dc04",
    "imagenet100-unseen@1": "93be2e95ef0212121e1a04eeec606ea66c62f6ca8a5fb81f8f06cd048b2db6c4",
    "imagenet100@1": "3571c63964feae06c1b171b43c549dd8c6de4dd56f7fa10cd7132a9be4c48e9d",
    "mirflickr-24-full@1": "39f259d0e0695732988f4ce49ee852ee0886d12e9b265cbcfd048a3f95315c86",
    "mirflickr-24@1": "f3f2133a08f0615d95f6902fe7bd9cd781c4bb3700e53be80dc793de6820fd9b",
    "mirflickr-38@1": "77f7bcf1354e8b5238625d19dafd7e2727e202e7033537b801d6e1d425108d8b",
    "nuswide_10@1": "b8f23caa0a3a0397347271f3e4843e49ce5783b546f515e96dc7090c863b4ab3",
    "nuswide_21@1": "feb5e2ce6d6b53c6ad8d3b81f47017dd36deb3930d3a3dcd5f44e50aa89b317b",
    "nuswide_21_m@1": "732044921b48dbd8f0dcd870f1b50bfa88718abfee1126c23bf04d2e4c915c85",
    "nuswide_81_m@1": "5bf51002a793e2036abaff18a945e5fcbdae1227d05a623bfe54c2a40894e502",
    "voc2012@1": "b0bf34a679fdeb185027cf832c05d32626d30a20897d9c2177739a14c447ff40",
}


def official_numbers() -> np.ndarray:
    """The 70,000 official labels; an IDX label file has a header of eight bytes."""
    names = ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    contents = [gzip.decompress((OFFICIAL_LABELS / name).read_bytes()) for name in names]
    return np.concatenate([np.frombuffer(c, dtype=np.uint8, offset=8) for c in contents])


def cifar10_numbers() -> np.ndarray:
    """The 60,000 class numbers of CIFAR-10, train part first."""
    content = gzip.decompress((OFFICIAL_LABELS / "cifar10-labels.gz").read_bytes())
    return np.frombuffer(content, dtype=np.uint8)


def labels_of(dataset: str) -> np.ndarray:
    """The label rows of a dataset of ours with ten classes."""
    if dataset == "digits":
        return Digits().load(None).labels
    if dataset == "fashion_mnist_mini":
        return fashion_mnist.FashionMNISTMini().load(None).labels
    numbers = cifar10_numbers() if dataset == "cifar10" else official_numbers()
    return np.eye(10, dtype=np.uint8)[numbers]


def test_the_published_protocols_are_listed_in_order() -> None:
    assert protocol_names() == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_definition_never_changes(name: str) -> None:
    assert load_protocol(name).sha256 == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_digest_is_that_of_the_file_without_its_notes(name: str) -> None:
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    del content["notes"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert load_protocol(name).sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "sizes", "train_in_database", "map_at", "image_size"),
    [
        ("fashion-mnist-mini@1", (2000, 500, 5000), False, None, 28),
        ("fashion-mnist@1", (5000, 1000, 69000), True, None, 28),
        ("fashion-mnist-2@1", (60000, 10000, 60000), True, 1000, 28),
        ("digits@1", (500, 200, 1597), True, None, 8),
        ("digits-2@1", (1597, 200, 1597), True, None, 8),
        ("digit-mixtures@1", (2000, 500, 3500), False, None, 16),
        ("cifar10@1", (5000, 1000, 54000), False, None, 32),
        ("cifar10-1@1", (5000, 1000, 59000), True, None, 32),
        ("cifar10-2@1", (50000, 10000, 50000), True, None, 32),
        ("fashion-scenes@1", (2000, 500, 3500), False, None, 64),
        ("digits-unseen@1", (350, 60, 482), False, None, 8),
        ("digits-2-unseen@1", (1255, 60, 482), False, None, 8),
        ("fashion-mnist-mini-unseen@1", (1400, 150, 2100), False, None, 28),
        ("fashion-mnist-unseen@1", (3500, 300, 20700), False, None, 28),
        ("fashion-mnist-2-unseen@1", (42000, 3000, 18000), False, 1000, 28),
        ("cifar10-unseen@1", (3500, 300, 17700), False, None, 32),
        ("cifar10-cib-unseen@1", (3500, 1500, 15000), False, 1000, 32),
        ("cifar10-2-unseen@1", (35000, 3000, 15000), False, None, 32),
    ],
)
def test_sizes_and_flags_are_those_of_the_definition(
    name: str, sizes: tuple[int, ...], train_in_database: bool, map_at: int | None, image_size: int
) -> None:
    spec = load_protocol(name)
    assert (spec.sizes["train"], spec.sizes["query"], spec.sizes["database"]) == sizes
    assert spec.train_in_database is train_in_database
    assert spec.map_at == map_at
    assert spec.image_size == image_size
    assert (spec.name, spec.relevance, spec.augmentation) == (name, "shared-label", "none")
    assert len(spec.mean) == len(spec.std) == 3


DRAWN = [
    name
    for name in PUBLISHED
    if name.startswith(("cifar10", "fashion-mnist")) and "mini" not in name
]


@pytest.mark.parametrize("name", DRAWN)
def test_rule_and_seed_give_the_published_lists_on_the_official_labels(name: str) -> None:
    spec = load_protocol(name)
    numbers = cifar10_numbers() if spec.dataset == "cifar10" else official_numbers()
    labels = np.eye(10, dtype=np.uint8)[numbers]
    assert hashlib.sha256(labels.tobytes()).hexdigest() == spec.checksums["labels"]
    split = spec.sampling.split(labels)
    for role in ("train", "query", "database"):
        positions = getattr(split, role)
        assert hashlib.sha256(positions.tobytes()).hexdigest() == spec.checksums[role]
        assert len(positions) == spec.sizes[role]


def test_fashion_mnist_draws_from_the_official_parts_as_stated() -> None:
    numbers = official_numbers()
    split = load_protocol("fashion-mnist@1").sampling.split(np.eye(10, dtype=np.uint8)[numbers])
    assert np.bincount(numbers[split.query]).tolist() == [100] * 10
    assert np.bincount(numbers[split.train]).tolist() == [500] * 10
    assert split.query.min() >= 60_000
    assert split.train.max() < 60_000
    assert set(split.database) == set(range(70_000)) - set(split.query)


def test_fashion_mnist_2_is_the_official_cut() -> None:
    labels = np.eye(10, dtype=np.uint8)[official_numbers()]
    split = load_protocol("fashion-mnist-2@1").sampling.split(labels)
    assert split.train.tolist() == split.database.tolist() == list(range(60_000))
    assert split.query.tolist() == list(range(60_000, 70_000))


@pytest.mark.parametrize(
    ("name", "queries", "training"),
    [("cifar10@1", 100, 500), ("cifar10-1@1", 100, 500), ("cifar10-2@1", 1000, 5000)],
)
def test_cifar10_takes_queries_then_training_images_of_each_class_from_both_parts(
    name: str, queries: int, training: int
) -> None:
    numbers = cifar10_numbers()
    split = load_protocol(name).sampling.split(np.eye(10, dtype=np.uint8)[numbers])
    assert np.bincount(numbers[split.query]).tolist() == [queries] * 10
    assert np.bincount(numbers[split.train]).tolist() == [training] * 10
    assert not set(split.query) & set(split.train)
    for drawn in (split.query, split.train):
        assert drawn.min() < 50_000 <= drawn.max()


def test_the_cifar10_protocols_differ_in_what_is_searched() -> None:
    labels = np.eye(10, dtype=np.uint8)[cifar10_numbers()]
    outside, inside, everything = (
        load_protocol(name).sampling.split(labels)
        for name in ("cifar10@1", "cifar10-1@1", "cifar10-2@1")
    )
    assert outside.query.tolist() == inside.query.tolist()
    assert outside.train.tolist() == inside.train.tolist()
    rest = set(range(60_000)) - set(inside.query)
    assert set(inside.database) == rest
    assert set(outside.database) == rest - set(outside.train)
    assert everything.train.tolist() == everything.database.tolist()
    assert set(everything.database) == set(range(60_000)) - set(everything.query)


@pytest.mark.parametrize(
    "name", [name for name in PUBLISHED if "unseen" in name and "imagenet100" not in name]
)
def test_an_unseen_variant_searches_three_classes_and_trains_on_the_other_seven(name: str) -> None:
    spec = load_protocol(name)
    labels = labels_of(spec.dataset)
    numbers, split = labels.argmax(axis=1), spec.sampling.split(labels)
    assert set(numbers[split.query]) == set(numbers[split.database])
    assert len(set(numbers[split.query])) == 3
    assert len(set(numbers[split.train])) == 7
    assert not set(numbers[split.train]) & set(numbers[split.query])
    assert len(set(np.bincount(numbers[split.query])) - {0}) == 1  # balanced
    assert not set(split.query) & set(split.database)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("cifar10-unseen@1", ["deer", "dog", "horse"]),
        ("digits-unseen@1", ["4", "5", "7"]),
        ("fashion-mnist-unseen@1", ["Coat", "Sandal", "Sneaker"]),
    ],
)
def test_the_classes_held_back_are_those_that_the_notes_name(name: str, classes: list[str]) -> None:
    spec = load_protocol(name)
    assert isinstance(spec.sampling, UnseenClasses)
    names = {"cifar10": cifar10.CLASSES, "fashion_mnist": fashion_mnist.CLASSES}
    known = names.get(spec.dataset, tuple("0123456789"))
    assert [known[number] for number in spec.sampling.unseen_classes(10)] == classes
    assert all(word in spec.notes for word in classes)


def test_imagenet100_holds_a_quarter_of_its_classes_back() -> None:
    rule = load_protocol("imagenet100-unseen@1").sampling
    assert isinstance(rule, UnseenClasses)
    assert len(set(rule.unseen_classes(100))) == 25
    # Two images of each class in either part; the real ones are checked when they are loaded.
    labels = np.eye(100, dtype=np.uint8)[np.arange(400) % 100]
    few = {role: replace(draw, part=None, per_class=None) for role, draw in rule.draws.items()}
    split = replace(rule, draws=few).split(labels)
    assert len(split.train) == 300
    assert split.query.tolist() == split.database.tolist()


def test_digits_2_has_the_queries_of_digits_and_trains_on_all_other_images() -> None:
    labels = Digits().load(None).labels
    first, second = (
        load_protocol(name).sampling.split(labels) for name in ("digits@1", "digits-2@1")
    )
    assert second.query.tolist() == first.query.tolist()
    assert second.train.tolist() == second.database.tolist() == first.database.tolist()


def test_the_mini_is_drawn_from_the_official_labels_as_its_origin_states() -> None:
    numbers = official_numbers()
    origin = load_protocol("fashion-mnist-mini@1").origin
    assert origin is not None
    assert origin.dataset == "fashion_mnist"
    split = origin.sampling.split(np.eye(10, dtype=np.uint8)[numbers])
    assert np.bincount(numbers[split.query]).tolist() == [50] * 10
    assert np.bincount(numbers[split.train]).tolist() == [200] * 10
    assert np.bincount(numbers[split.database]).tolist() == [500] * 10
    assert split.query.min() >= 60_000
    assert max(split.train.max(), split.database.max()) < 60_000
    assert not set(split.train) & set(split.database)


def test_each_dataset_of_ours_has_its_default_among_its_protocols() -> None:
    for name in registry().names(Kind.DATASET):
        if name == "imported/*":
            continue  # a family: each of its members has its own
        assert registry().load(Kind.DATASET, name).default_protocol in protocols_of(name)
    assert protocols_of("digits") == [
        "digits-2-unseen@1",
        "digits-2@1",
        "digits-unseen@1",
        "digits@1",
    ]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("fashion-mnist-mni@1", "Did you mean 'fashion-mnist-mini@1'?"),
        ("fashion-mnist", "Did you mean 'fashion-mnist@1'?"),
        ("../digits@1", "Did you mean 'digits@1'?"),
        (
            "zzz",
            f"Known: {', '.join(PUBLISHED)}.",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, answer: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_protocol(name)
    assert str(caught.value) == f"unknown protocol '{name}'. {answer}"


def edited(folder: Path, old: str, new: str) -> Path:
    """A copy of fashion-mnist@1 with one piece of text replaced."""
    text = (FOLDER / "fashion-mnist@1.toml").read_text()
    assert old in text
    path = folder / "fashion-mnist@1.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_notes_are_free_to_change_and_nothing_else_is(tmp_path: Path) -> None:
    published = load_protocol("fashion-mnist@1").sha256
    assert read_protocol(edited(tmp_path, "no community", "no common")).sha256 == published
    assert read_protocol(edited(tmp_path, "seed = 0", "seed = 1")).sha256 != published
    assert read_protocol(edited(tmp_path, "0.3530", "0.3531")).sha256 != published


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "version = 2", "found 'fashion-mnist@2'"),
        ('dataset = "fashion_mnist"', 'datset = "fashion_mnist"', "datset: Extra inputs"),
        ("train = 5000", "train = 0", "sizes.train: Input should be greater than 0"),
        ('augmentation = "none"', 'augmentation = "rotate"', "input.augmentation: "),
        ("std = [0.3530,", "std = [0.0,", "input.std.0: Input should be greater than 0"),
        (
            'train = { part = "official_train"',
            'train = { part = "x"',
            "train: there is no part 'x'",
        ),
        ('without = ["query"]', 'without = ["database"]', "sampling.per-class.database.without"),
        ("[0, 60000]", "[60000, 0]", "part 'official_train' must be"),
        ('rule = "per-class"', 'rule = "per-clas"', "sampling: "),
        ('labels = "', 'labels = "x', "sha256.labels: String should match pattern"),
        ("[sizes]", "[sizes", "not a TOML file: "),
    ],
)
def test_a_malformed_file_is_an_error_in_one_line(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(DataError) as caught:
        read_protocol(path)
    assert str(caught.value).startswith(f"protocol {path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_role_cannot_leave_out_one_that_is_drawn_later(tmp_path: Path) -> None:
    old = 'query = { part = "official_test"'
    path = edited(tmp_path, old, old + ', without = ["train"]')
    with pytest.raises(DataError, match="query: 'without' names a role that is drawn later"):
        read_protocol(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone@1\.toml: cannot be read: No such file"):
        read_protocol(tmp_path / "gone@1.toml")


def test_looking_a_protocol_up_loads_neither_torch_nor_pillow_nor_scikit_learn() -> None:
    code = (
        "import sys; from hashbench.datasets.protocols.protocol import *; "
        "[load_protocol(name) for name in protocol_names()]; "
        "print(sorted({'torch', 'PIL', 'sklearn', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_rule_based_protocol_states_its_parts_as_positions() -> None:
    rule = load_protocol("fashion-mnist@1").sampling
    assert isinstance(rule, PerClass)
    assert rule.draws["query"].part == (60_000, 70_000)
    assert rule.draws["query"].per_class == 100
    assert rule.draws["database"].without == ("query",)
