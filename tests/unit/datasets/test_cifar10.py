"""CIFAR-10 from a miniature of its official archive."""

from __future__ import annotations

import pickle
import shutil
import struct
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.info import LabelKind
from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.loading import prepare
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.protocols.sampling import Draw, PerClass
from hashbench.datasets.sources.cifar10 import BATCHES, CIFAR10, find_source, read_cifar10

Seal = Callable[..., ProtocolSpec]
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
EACH = 20


def python2_batch(rows: NDArray[np.uint8], labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it: protocol 2, str as bytes, the array by its function and state.

    Written opcode by opcode from the description of the format.
    """

    def text(content: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(content)) + content

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    kind += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    array += number(0) + b"\x85" + text(b"b") + b"\x87R"
    array += b"(" + number(1) + number(rows.shape[0]) + number(rows.shape[1]) + b"\x86"
    array += kind + b"\x89" + text(rows.tobytes()) + b"tb"
    items = text(b"data") + array
    items += text(b"labels") + b"](" + b"".join(map(number, labels)) + b"e"
    items += text(b"batch_label") + text(b"training batch 1 of 5")
    items += text(b"filenames") + b"](" + b"".join(text(b"a.png") for _ in labels) + b"e"
    return b"\x80\x02}(" + items + b"u."


def python3_batch(rows: NDArray[np.uint8], labels: list[int]) -> bytes:
    content = {b"data": rows, b"labels": labels, b"filenames": [b"a.png"] * len(labels)}
    return pickle.dumps(content, protocol=2)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    """Six batches of 20 images of 32 x 32 RGB, all different."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (len(BATCHES) * EACH, 32, 32, 3), dtype=np.uint8)


def rows_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each image as its red plane, then the green, then the blue one."""
    planes = [images[..., channel].reshape(len(images), 1024) for channel in range(3)]
    return np.concatenate(planes, axis=1)


@pytest.fixture
def root(tmp_path: Path, images: NDArray[np.uint8]) -> Path:
    """A data root with the miniature folder; two images of each class a batch."""
    folder = tmp_path / "data" / FOLDER
    folder.mkdir(parents=True)
    for place, name in enumerate(BATCHES):
        rows = rows_of(images[place * EACH : (place + 1) * EACH])
        (folder / name).write_bytes(python2_batch(rows, [*range(10)] * 2))
    return tmp_path / "data"


@pytest.fixture
def packed(root: Path, tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as tar:
        tar.add(root / FOLDER, FOLDER)
    return tmp_path / ARCHIVE


def test_the_official_train_batches_come_first_then_the_test_batch(
    root: Path, images: NDArray[np.uint8]
) -> None:
    assert BATCHES[0] == "data_batch_1"
    assert BATCHES[-1] == "test_batch"
    data = read_cifar10(root / FOLDER, batch=EACH)
    np.testing.assert_array_equal(data.images, images)
    assert data.images.dtype == data.labels.dtype == np.uint8
    assert data.labels.argmax(axis=1).tolist() == [*range(10)] * 12
    assert data.labels.sum(axis=1).tolist() == [1] * 120
    assert (data.classes[0], data.classes[9]) == ("airplane", "truck")


def test_the_archive_gives_the_same_images_as_the_folder_and_unpacks_nothing(
    root: Path, packed: Path
) -> None:
    shutil.rmtree(root)
    before = sorted(packed.parent.rglob("*"))
    data = read_cifar10(packed, batch=EACH)
    assert data.labels.argmax(axis=1).tolist() == [*range(10)] * 12
    assert sorted(packed.parent.rglob("*")) == before


def test_batches_written_again_by_python_3_are_read_as_well(
    root: Path, images: NDArray[np.uint8]
) -> None:
    (root / FOLDER / "test_batch").write_bytes(python3_batch(rows_of(images[-EACH:]), [3] * EACH))
    data = read_cifar10(root / FOLDER, batch=EACH)
    np.testing.assert_array_equal(data.images[-EACH:], images[-EACH:])
    assert data.labels[-EACH:].argmax(axis=1).tolist() == [3] * EACH


def test_changed_pixels_or_labels_do_not_pass_the_protocols_checksums(
    root: Path, seal: Seal
) -> None:
    data = read_cifar10(root / FOLDER, batch=EACH)
    draws = {
        "query": Draw(per_class=1),
        "train": Draw(per_class=2, without=("query",)),
        "database": Draw(without=("query", "train")),
    }
    rule = PerClass(0, draws)
    split: Split = rule.split(data.labels)
    spec = replace(seal(data, split), sampling=rule)
    assert prepare(data, spec).sizes["database"] == 90

    pixels = data.images.copy()
    pixels[7, 0, 0, 0] ^= 1
    with pytest.raises(DataError, match=r"pixels: expected SHA-256"):
        prepare(ImageData(pixels, data.labels, data.classes), spec)
    swapped = data.labels.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    with pytest.raises(DataError, match=r"labels: expected SHA-256"):
        prepare(ImageData(data.images, swapped, data.classes), spec)


@pytest.mark.parametrize("below", ["", "cifar10"])
def test_folder_and_archive_are_found_below_the_data_root(
    below: str, root: Path, packed: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mine" / below
    place.mkdir(parents=True)
    shutil.move(packed, place / ARCHIVE)
    assert find_source(tmp_path / "mine") == place / ARCHIVE
    shutil.move(root / FOLDER, place / FOLDER)
    assert find_source(tmp_path / "mine") == place / FOLDER


@pytest.mark.parametrize("named", [True, False], ids=["empty root", "no root"])
def test_no_files_is_an_error_in_one_line_that_names_what_is_expected(
    named: bool, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        CIFAR10().load(tmp_path if named else None)
    message = str(caught.value)
    for word in (FOLDER, ARCHIVE, "data_batch_5", "test_batch", "HASHBENCH_DATA"):
        assert word in message
    assert (str(tmp_path / "cifar10" / ARCHIVE) in message) is named
    assert "\n" not in message


def test_a_data_root_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: no such folder"):
        CIFAR10().load(tmp_path / "gone")


def test_the_whole_set_must_have_the_official_size(root: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"data_batch_1: expected 'data' of shape \(10000, 3072\), found \(20, 3072\)",
    ):
        CIFAR10().load(root)


def test_a_truncated_batch_is_an_error_that_names_it(root: Path) -> None:
    path = root / FOLDER / "data_batch_3"
    content = path.read_bytes()
    for kept in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:kept])
        with pytest.raises(DataError, match=r"data_batch_3: expected a whole pickle"):
            read_cifar10(root / FOLDER, batch=EACH)


def test_a_truncated_archive_is_an_error(packed: Path) -> None:
    content = packed.read_bytes()
    packed.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"tar\.gz: expected a whole tar\.gz file"):
        read_cifar10(packed, batch=EACH)
    packed.write_bytes(b"not gzip")
    with pytest.raises(DataError, match=r"tar\.gz: expected a whole tar\.gz file"):
        read_cifar10(packed, batch=EACH)


def test_a_missing_batch_is_an_error_that_names_it(root: Path, tmp_path: Path) -> None:
    (root / FOLDER / "data_batch_4").unlink()
    with pytest.raises(DataError, match=r"data_batch_4: expected this batch"):
        read_cifar10(root / FOLDER, batch=EACH)
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as tar:
        tar.add(root / FOLDER, FOLDER)
    with pytest.raises(DataError, match=r"tar\.gz: expected cifar-10-batches-py/data_batch_4 in"):
        read_cifar10(tmp_path / ARCHIVE, batch=EACH)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 19, "expected 20 'labels', found 19"),
        ([0] * 19 + [10], "expected labels 0 to 9, found another at position 19"),
        ([0] * 19 + [-1], "expected labels 0 to 9, found another at position 19"),
        ([0] * 19 + ["cat"], "expected labels 0 to 9, found another at position 19"),
        (None, "expected 20 'labels', found none"),
    ],
)
def test_labels_that_are_not_the_published_kind_are_an_error(
    labels: list[int], message: str, root: Path, images: NDArray[np.uint8]
) -> None:
    (root / FOLDER / "test_batch").write_bytes(python3_batch(rows_of(images[:EACH]), labels or []))
    if labels is None:
        content = pickle.dumps({b"data": rows_of(images[:EACH])}, protocol=2)
        (root / FOLDER / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match=r"test_batch: ") as caught:
        read_cifar10(root / FOLDER, batch=EACH)
    assert message in str(caught.value)


def test_it_is_single_label_and_says_what_it_looks_for() -> None:
    source = CIFAR10()
    assert source.info.labels == {LabelKind.SINGLE}
    assert f"DATA_ROOT/{FOLDER}" in source.describe()["looked for in"]
