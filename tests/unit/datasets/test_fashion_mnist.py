"""Fashion-MNIST, embedded and from IDX files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.info import LabelKind
from hashbench.datasets.protocols.protocol import FOLDER, load_protocol
from hashbench.datasets.reading.idx import read_idx
from hashbench.datasets.sources import fashion_mnist
from hashbench.datasets.sources.embedded_images import EMBEDDED, read_embedded
from hashbench.datasets.sources.fashion_mnist import (
    FashionMNIST,
    FashionMNISTMini,
    find_folder,
    read_fashion_mnist,
)

Parts = Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]
Write = Callable[..., Path]
OFFICIAL_LABELS = Path(__file__).with_name("official_labels")


@pytest.fixture
def no_debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    place = tmp_path / "debian"
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", place)
    return place


def test_embedded_files_are_complete_and_small() -> None:
    names = {path.name for path in EMBEDDED.iterdir()}
    assert names == {"LICENSE-fashion-mnist", "fashion_mnist_mini.csv", "fashion_mnist_mini.webp"}
    sizes = [path.stat().st_size for path in EMBEDDED.iterdir()]
    assert sum(sizes) <= 3_500_000
    assert max(sizes) < 4 * 2**20


def test_protocol_files_are_complete() -> None:
    lists = {f"fashion-mnist-mini@1.{role}.txt" for role in ("train", "query", "database")}
    assert lists <= {path.name for path in FOLDER.iterdir()}
    suffixes = {path.suffix for path in FOLDER.iterdir() if path.is_file()}
    assert suffixes == {".toml", ".txt", ".py"}


def test_the_licence_lies_beside_the_images() -> None:
    text = (EMBEDDED / "LICENSE-fashion-mnist").read_text()
    assert "Copyright (c) 2017 Zalando SE" in text
    assert "Permission is hereby granted, free of charge" in text


def test_embedded_labels_are_the_official_ones_of_their_sources() -> None:
    official = np.concatenate(
        [
            read_idx(OFFICIAL_LABELS / "train-labels-idx1-ubyte.gz", (60_000,)),
            read_idx(OFFICIAL_LABELS / "t10k-labels-idx1-ubyte.gz", (10_000,)),
        ]
    )
    embedded = read_embedded(EMBEDDED, "fashion_mnist_mini", size=(28, 28))
    np.testing.assert_array_equal(embedded.numbers, official[embedded.sources])
    assert np.all(np.diff(embedded.sources) > 0)
    assert np.count_nonzero(embedded.sources >= 60_000) == 500


def test_embedded_sources_are_those_that_the_protocols_origin_draws() -> None:
    names = ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    numbers = np.concatenate([read_idx(OFFICIAL_LABELS / name, (None,)) for name in names])
    spec = load_protocol("fashion-mnist-mini@1")
    assert spec.origin is not None
    drawn = spec.origin.sampling.split(np.eye(10, dtype=np.uint8)[numbers])
    embedded = read_embedded(EMBEDDED, "fashion_mnist_mini", size=(28, 28))
    used = spec.sampling.split(np.eye(10, dtype=np.uint8)[embedded.numbers])
    for role in ("train", "query", "database"):
        np.testing.assert_array_equal(embedded.sources[getattr(used, role)], getattr(drawn, role))


def test_a_damaged_embedded_table_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    for path in EMBEDDED.iterdir():
        shutil.copy(path, tmp_path)
    table = tmp_path / "fashion_mnist_mini.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:4], "12;3", *lines[5:]]) + "\n")
    with pytest.raises(DataError, match=r"mini\.csv:5: expected 'SOURCE,LABEL', found '12;3'"):
        read_embedded(tmp_path, "fashion_mnist_mini", size=(28, 28))
    table.write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(DataError, match=r"mini\.csv:1: expected 'source,label', found "):
        read_embedded(tmp_path, "fashion_mnist_mini", size=(28, 28))
    table.unlink()
    with pytest.raises(DataError, match=r"mini\.csv: cannot be read.*reinstall"):
        read_embedded(tmp_path, "fashion_mnist_mini", size=(28, 28))


def test_a_table_with_a_row_too_many_does_not_fit_the_picture(tmp_path: Path) -> None:
    for path in EMBEDDED.iterdir():
        shutil.copy(path, tmp_path)
    with (tmp_path / "fashion_mnist_mini.csv").open("a") as table:
        table.write("1,1\n")
    with pytest.raises(DataError, match=r"\(7501 images\), found 1400 x 4200"):
        read_embedded(tmp_path, "fashion_mnist_mini", size=(28, 28))


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
def test_train_images_come_first_then_test_images(
    zipped: bool, tmp_path: Path, parts: Parts, write_idx_folder: Write
) -> None:
    folder = write_idx_folder(tmp_path / "idx", parts, zipped=zipped)
    data = read_fashion_mnist(folder, train=60, test=30)
    np.testing.assert_array_equal(data.images[:60], parts["train"][0])
    np.testing.assert_array_equal(data.images[60:], parts["test"][0])
    expected = [*range(10)] * 9
    assert data.labels.argmax(axis=1).tolist() == expected
    assert data.labels.sum(axis=1).tolist() == [1] * 90
    assert data.classes[0] == "T-shirt/top"
    assert data.classes[9] == "Ankle boot"


@pytest.mark.parametrize("below", ["fashion-mnist", "FashionMNIST/raw"])
def test_files_are_found_below_the_data_root(
    below: str, tmp_path: Path, parts: Parts, write_idx_folder: Write, no_debian: Path
) -> None:
    write_idx_folder(no_debian, parts, zipped=True)
    folder = write_idx_folder(tmp_path / "data" / below, parts, zipped=False)
    assert find_folder(tmp_path / "data") == folder
    assert find_folder(None) == no_debian


def test_debians_folder_is_used_when_the_root_has_none(
    tmp_path: Path, parts: Parts, write_idx_folder: Write, no_debian: Path
) -> None:
    write_idx_folder(no_debian, parts, zipped=True)
    assert find_folder(tmp_path) == no_debian


def test_no_files_anywhere_is_an_error_that_says_where_they_were_looked_for(
    tmp_path: Path, no_debian: Path
) -> None:
    with pytest.raises(DataError) as caught:
        FashionMNIST().load(tmp_path)
    message = str(caught.value)
    places = [tmp_path / "fashion-mnist", tmp_path / "FashionMNIST/raw", no_debian]
    assert all(str(place) in message for place in places)
    assert "dataset-fashion-mnist" in message
    assert "HASHBENCH_DATA" in message
    assert "\n" not in message


def test_a_data_root_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: no such folder"):
        FashionMNIST().load(tmp_path / "gone")


def test_one_file_missing_is_an_error_that_names_it(idx_folder: Path) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: expected this file, or it with"):
        read_fashion_mnist(idx_folder, train=60, test=30)


def test_a_label_file_of_another_length_is_an_error(
    tmp_path: Path, parts: Parts, write_idx_folder: Write
) -> None:
    images, numbers = parts["test"]
    short = {**parts, "test": (images, numbers[:-1])}
    folder = write_idx_folder(tmp_path / "idx", short, zipped=True)
    with pytest.raises(DataError, match=r"t10k-labels.*expected the shape 30, found 29"):
        read_fashion_mnist(folder, train=None, test=None)


def test_a_label_of_no_class_is_an_error(
    tmp_path: Path, parts: Parts, write_idx_folder: Write
) -> None:
    images, numbers = parts["train"]
    wrong = {**parts, "train": (images, np.where(numbers == 9, 46, numbers).astype(np.uint8))}
    folder = write_idx_folder(tmp_path / "idx", wrong, zipped=True)
    with pytest.raises(DataError, match=r"train-labels.*expected labels 0 to 9, found 46"):
        read_fashion_mnist(folder, train=60, test=30)


def test_the_whole_set_must_have_the_official_sizes(idx_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(idx_folder, tmp_path / "data" / "fashion-mnist")
    with pytest.raises(
        DataError, match=r"train-images.*expected the shape 60000 x 28 x 28, found 60 x 28 x 28"
    ):
        FashionMNIST().load(tmp_path / "data")


def test_seventy_thousand_images_load_as_one_array(tmp_path: Path, write_idx_folder: Write) -> None:
    whole = {
        part: (np.full((count, 28, 28), grey, np.uint8), np.arange(count, dtype=np.int64) % 10)
        for part, count, grey in (("train", 60_000, 1), ("test", 10_000, 2))
    }
    arrays = {part: (images, numbers.astype(np.uint8)) for part, (images, numbers) in whole.items()}
    write_idx_folder(tmp_path / "FashionMNIST" / "raw", arrays, zipped=False)
    data = FashionMNIST().load(tmp_path)
    assert data.images.shape == (70_000, 28, 28)
    assert (data.images[59_999].max(), data.images[60_000].min()) == (1, 2)


def test_both_datasets_are_single_label_and_describe_themselves() -> None:
    for source in (FashionMNISTMini(), FashionMNIST()):
        assert source.info.labels == {LabelKind.SINGLE}
        assert "MIT" in source.describe()["licence"]
