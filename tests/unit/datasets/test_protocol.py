"""Protocol files: what they say, how they are looked up, what is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Kind, registry
from hashbench.datasets.digits import Digits
from hashbench.datasets.protocol import (
    FOLDER,
    load_protocol,
    protocol_names,
    protocols_of,
    read_protocol,
)
from hashbench.datasets.sampling import PerClass

OFFICIAL_LABELS = Path(__file__).with_name("official_labels")
# Published definitions: results exist under these digests, so they may never change.
PUBLISHED = {
    "cifar10-1@1": "d57e2ec9a202e8fc0ce628742ff08a29653531813fedba69a3748b69be1a0b5a",
    "cifar10-2@1": "a35239782322b9733b5b413ccf2f93e54a7fc172b114e736db241bf5fc25d719",
    "cifar10@1": "225294ccfd216dcb82b7ee557028237f48eb4c967f7d5d8ae0bb59eb02b2ad96",
    "digit-mixtures@1": "2139390f59abbc8866c0fb76b7f4c7b6091b161c0f082cc39f7a8d712bf3262c",
    "digits-2@1": "5529b0099fe3f63ebca0f4fadb8425ec9c3df375a3fe2874a9d77f980fdf3052",
    "digits@1": "ed5024f9d3ac3bb271fdbd4a442f5de1719677350ed85e70def16441f3909905",
    "fashion-mnist-2@1": "192febd0b0654e84501a151fe270f62e33650fc8259a02ec13aba12988fa89c1",
    "fashion-mnist-mini@1": "02096c11218bf7e1395f0ea58386defb3fe498f0944aa3b69b9d0dd615fc0058",
    "fashion-mnist@1": "3abb40dc91f25c91aeea7187497c6b96220accb53f715e3fe216e86623145e04",
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


@pytest.mark.parametrize(
    "name", ["fashion-mnist@1", "fashion-mnist-2@1", "cifar10@1", "cifar10-1@1", "cifar10-2@1"]
)
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
    for name in ("cifar10", "digit_mixtures", "digits", "fashion_mnist", "fashion_mnist_mini"):
        assert registry().load(Kind.DATASET, name).default_protocol in protocols_of(name)
    assert protocols_of("digits") == ["digits-2@1", "digits@1"]
    assert protocols_of("fashion_mnist") == ["fashion-mnist-2@1", "fashion-mnist@1"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("fashion-mnist-mni@1", "Did you mean 'fashion-mnist-mini@1'?"),
        ("fashion-mnist", "Did you mean 'fashion-mnist@1'?"),
        ("../digits@1", "Did you mean 'digits@1'?"),
        (
            "zzz",
            "Known: cifar10-1@1, cifar10-2@1, cifar10@1, digit-mixtures@1, digits-2@1, digits@1, "
            "fashion-mnist-2@1, fashion-mnist-mini@1, fashion-mnist@1.",
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
        "import sys; from hashbench.datasets.protocol import *; "
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
