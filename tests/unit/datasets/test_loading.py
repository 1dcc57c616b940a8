"""Loading checks everything that a protocol states."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.cell import Subset
from hashbench.core.errors import ConfigError, DataError
from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.loading import LoadedData, load_data, prepare
from hashbench.datasets.protocols.checks import check_images, check_split, identical_queries
from hashbench.datasets.protocols.protocol import FOLDER, ProtocolSpec, load_protocol, read_protocol
from hashbench.datasets.protocols.sampling import IndexLists
from hashbench.datasets.reading.index_list import write_index_list
from hashbench.datasets.roots import data_root
from hashbench.datasets.sources import fashion_mnist
from hashbench.datasets.sources.digits import Digits
from hashbench.datasets.sources.embedded_images import EMBEDDED
from hashbench.datasets.sources.fashion_mnist import FashionMNISTMini

Seal = Callable[..., ProtocolSpec]
ROLES = ("train", "query", "database")


@pytest.fixture(scope="module")
def mini() -> LoadedData:
    return load_data("fashion_mnist_mini", "fashion-mnist-mini@1")


@pytest.fixture(scope="module")
def digits() -> LoadedData:
    return load_data("digits", "digits@1")


def cut(query: list[int], train: list[int], database: list[int]) -> Split:
    return Split(
        train=np.array(train, dtype=np.int64),
        query=np.array(query, dtype=np.int64),
        database=np.array(database, dtype=np.int64),
    )


def test_the_mini_has_the_sizes_and_class_balance_of_its_protocol(mini: LoadedData) -> None:
    counts = {role: mini.data.labels[getattr(mini.split, role)].sum(axis=0) for role in ROLES}
    assert counts["train"].tolist() == [200] * 10
    assert counts["query"].tolist() == [50] * 10
    assert counts["database"].tolist() == [500] * 10
    assert mini.sizes == {
        "train": 2000,
        "query": 500,
        "database": 5000,
        "images": 7500,
        "classes": 10,
    }
    assert mini.warnings == ()


def test_no_two_of_the_minis_images_are_in_the_same_list_or_equal_in_pixels(
    mini: LoadedData,
) -> None:
    together = np.concatenate([getattr(mini.split, role) for role in ROLES])
    assert sorted(together) == list(range(7500))
    assert len({image.tobytes() for image in mini.data.images}) == 7500


def test_the_digits_are_cut_as_stated_with_the_training_set_in_the_database(
    digits: LoadedData,
) -> None:
    query, train, database = (set(getattr(digits.split, r)) for r in ("query", "train", "database"))
    assert (len(query), len(train), len(database)) == (200, 500, 1597)
    assert digits.data.labels[digits.split.query].sum(axis=0).tolist() == [20] * 10
    assert digits.data.labels[digits.split.train].sum(axis=0).tolist() == [50] * 10
    assert train < database
    assert query | database == set(range(1797))


def test_checksums_are_those_of_the_bytes(mini: LoadedData) -> None:
    arrays = {"pixels": mini.data.images, "labels": mini.data.labels}
    arrays |= {role: getattr(mini.split, role) for role in ROLES}
    expected = {what: hashlib.sha256(a.tobytes()).hexdigest() for what, a in arrays.items()}
    assert mini.checksums == expected == mini.protocol.checksums


def test_a_subset_changes_lists_sizes_and_their_checksums_only(mini: LoadedData) -> None:
    part = load_data(
        "fashion_mnist_mini", "fashion-mnist-mini@1", subset=Subset(train=100, query=50, seed=3)
    )
    assert part.sizes == {**mini.sizes, "train": 100, "query": 50}
    changed = {what for what in mini.checksums if part.checksums[what] != mini.checksums[what]}
    assert changed == {"train", "query"}
    assert set(part.split.train) < set(mini.split.train)


def test_a_subset_larger_than_the_list_is_refused_with_the_sizes() -> None:
    with pytest.raises(ConfigError, match=r"query: expected 1 to 200 .*, got 201"):
        load_data("digits", "digits@1", subset=Subset(query=201))


def test_an_unknown_dataset_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown name 'digit' in datasets\. Did you mean 'digits'"
    ):
        load_data("digit", "digits@1")


def test_an_unknown_protocol_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown protocol 'digits@2'\. Did you mean 'digits@1'"):
        load_data("digits", "digits@2")


def test_another_datasets_protocol_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ConfigError) as caught:
        load_data("fashion_mnist", "digits@1")
    assert str(caught.value) == (
        "protocol 'digits@1' is for the dataset 'digits', not 'fashion_mnist'. "
        "Protocols of 'fashion_mnist': fashion-mnist-2-unseen@1, fashion-mnist-2@1, "
        "fashion-mnist-unseen@1, fashion-mnist@1."
    )


def test_one_changed_pixel_is_found(mini: LoadedData) -> None:
    images = mini.data.images.copy()
    images[7499, 27, 27] ^= 1
    found = hashlib.sha256(images.tobytes()).hexdigest()
    with pytest.raises(DataError) as caught:
        prepare(replace(mini.data, images=images), mini.protocol)
    message = str(caught.value)
    assert "dataset fashion_mnist_mini: pixels: expected SHA-256 " in message
    assert mini.protocol.checksums["pixels"] in message
    assert f"found {found}" in message
    assert "\n" not in message


def test_one_changed_label_is_found(mini: LoadedData) -> None:
    labels = mini.data.labels.copy()
    labels[[0, 1]] = labels[[1, 0]]
    assert not np.array_equal(labels, mini.data.labels)
    with pytest.raises(DataError, match="labels: expected SHA-256"):
        prepare(replace(mini.data, labels=labels), mini.protocol)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_changed_byte_of_the_embedded_picture_is_found(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in EMBEDDED.iterdir():
        shutil.copy(path, tmp_path)
    picture = tmp_path / "fashion_mnist_mini.webp"
    content = bytearray(picture.read_bytes())
    content[int(len(content) * share)] ^= 0xFF
    picture.write_bytes(content)
    monkeypatch.setattr(fashion_mnist, "EMBEDDED", tmp_path)
    with pytest.raises(DataError, match="fashion_mnist_mini"):
        load_data("fashion_mnist_mini", "fashion-mnist-mini@1")


def copied_protocol(folder: Path) -> Path:
    for path in FOLDER.glob("fashion-mnist-mini@1.*"):
        shutil.copy(path, folder)
    return folder / "fashion-mnist-mini@1.toml"


def test_an_edited_index_list_is_found(tmp_path: Path, mini: LoadedData) -> None:
    path = copied_protocol(tmp_path)
    query = tmp_path / "fashion-mnist-mini@1.query.txt"
    lines = query.read_text().splitlines()
    database_image = str(mini.split.database[0])
    query.write_text("\n".join([lines[0], database_image, *lines[2:]]) + "\n")
    with pytest.raises(DataError, match=r"query list: expected SHA-256 a26ab1d5.*, found [0-9a-f]"):
        prepare(mini.data, read_protocol(path))


def test_a_shortened_index_list_is_found(tmp_path: Path, mini: LoadedData) -> None:
    path = copied_protocol(tmp_path)
    train = tmp_path / "fashion-mnist-mini@1.train.txt"
    train.write_text("\n".join(train.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match="train images: expected 2000, found 1999"):
        prepare(mini.data, read_protocol(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: ImageData(d.images[1:], d.labels[1:], d.classes),
            "images: expected 1797, found 1796",
        ),
        (
            lambda d: replace(d, labels=d.labels[:, :9]),
            r"the label array: expected \(1797, 10\), found \(1797, 9\)",
        ),
        (lambda d: replace(d, classes=d.classes[:9]), "class names: expected 10, found 9"),
        (
            lambda d: replace(d, images=d.images[:, :7]),
            r"an image shape of: expected \(8, 8\), found \(7, 8\)",
        ),
        (
            lambda d: replace(d, images=d.images.astype(np.float32)),
            "pixels of type: expected uint8, found float32",
        ),
        (
            lambda d: replace(d, labels=d.labels.astype(np.int64)),
            "labels of type: expected uint8, found int64",
        ),
    ],
    ids=["count", "label columns", "class names", "shape", "pixel type", "label type"],
)
def test_data_of_another_form_is_refused_with_what_was_expected_and_found(
    change: Callable[[ImageData], ImageData], message: str, digits: LoadedData
) -> None:
    with pytest.raises(DataError, match=f"dataset digits: {message}"):
        check_images(change(digits.data), digits.protocol)


@pytest.mark.parametrize("role", ["database", "train"])
def test_a_query_in_the_database_or_training_set_is_an_error(
    role: str, toy: ImageData, seal: Seal
) -> None:
    lists = {"query": [0, 1, 5], "train": [2, 3], "database": [4, 6]}
    lists[role] = sorted([*lists[role], 5])
    split = cut(**lists)
    with pytest.raises(
        DataError, match=rf"no query in the {role} list, found 1 \(first: position 5\)"
    ):
        check_split(split, seal(toy, split))


@pytest.mark.parametrize(
    ("train", "flag", "message"),
    [
        ([2, 3], True, "expected 2, found 0"),
        ([3, 4], True, "expected 2, found 1"),
        ([3, 4], False, "expected 0, found 1"),
    ],
)
def test_the_training_set_is_in_the_database_exactly_if_the_protocol_says_so(
    train: list[int], flag: bool, message: str, toy: ImageData, seal: Seal
) -> None:
    split = cut([0, 1], train, [4, 5])
    with pytest.raises(DataError, match=f"training images in the database: {message}"):
        check_split(split, seal(toy, split, train_in_database=flag))


def test_lists_that_keep_to_the_protocol_pass(toy: ImageData, seal: Seal) -> None:
    apart, inside = cut([0, 1], [2, 3], [4, 5]), cut([0, 1], [2, 3], [2, 3, 4])
    check_split(apart, seal(toy, apart))
    check_split(inside, seal(toy, inside, train_in_database=True))


def test_equal_pixels_on_both_sides_are_counted_and_named(toy: ImageData) -> None:
    images = toy.images.copy()
    images[4] = images[5] = images[0]
    images[2] = images[7] = images[1]
    lines = identical_queries(replace(toy, images=images), cut([0, 1, 6, 7], [2, 3], [4, 5]))
    assert lines == (
        "3 of 4 queries have a pixel-identical image in the database or the training set "
        "(first: query 0 = 4)",
    )
    assert identical_queries(toy, cut([0, 1, 6], [2, 3], [4, 5])) == ()


def test_equal_pixels_are_a_warning_of_the_loaded_data(
    toy: ImageData, seal: Seal, tmp_path: Path
) -> None:
    data = replace(toy, images=np.zeros_like(toy.images))
    for position, role in enumerate(("query", "train", "database")):
        write_index_list(tmp_path / role, np.array([position]), comment=role)
    rule = IndexLists(tmp_path, {role: role for role in ROLES})
    spec = replace(seal(data, cut([0], [1], [2])), sampling=rule)
    assert prepare(data, spec).warnings == (
        "1 of 1 queries have a pixel-identical image in the database or the training set "
        "(first: query 0 = 1)",
    )


def test_the_data_root_is_the_one_named_then_the_variable_then_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HASHBENCH_DATA", "from-variable")
    assert data_root(Path("named")) == Path("named")
    assert data_root(None) == Path("from-variable")
    monkeypatch.setenv("HASHBENCH_DATA", "")
    assert data_root(None) is None
    monkeypatch.delenv("HASHBENCH_DATA")
    assert data_root(None) is None


def test_positions_of_the_mini_keep_the_official_order_with_the_queries_last(
    mini: LoadedData,
) -> None:
    assert mini.split.query.tolist() == list(range(7000, 7500))


def test_loading_twice_gives_the_same_arrays() -> None:
    for source in (FashionMNISTMini(), Digits()):
        one, two = source.load(None), source.load(None)
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.labels, two.labels)
        assert load_protocol(source.default_protocol).images == len(one)
