"""Folders of shards: what is written is read back, and what is wrong is told in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError, StoreError
from hashbench.evaluation.sharded.adopt import adopt
from hashbench.evaluation.sharded.folder import ShardFolder, read_queries
from hashbench.evaluation.sharded.manifest import NAME, FileEntry, Manifest, ShardEntry
from hashbench.evaluation.sharded.synthetic import DATABASE, QUERIES, Synthetic, synthesise
from hashbench.evaluation.sharded.writer import ShardWriter


def whole(folder):
    """All codes and labels of a folder."""
    blocks = list(folder.blocks())
    return (
        np.concatenate([folder.codes(block).packed for block in blocks]),
        np.concatenate([folder.labels(block) for block in blocks]),
    )


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [1, 7, 100, 101])
def test_what_is_written_in_parts_is_read_back_as_a_whole(tmp_path, small_blocks, size, retrieval):
    data = retrieval(items=100)
    with ShardWriter(tmp_path / "x", bits=12, classes=5, items_per_shard=size) as writer:
        for start in range(0, 100, 33):
            part = slice(start, start + 33)
            writer.add(Codes(data.database.packed[part], 12), data.labels[part])
    folder = ShardFolder.open(tmp_path / "x")
    codes, labels = whole(folder)
    np.testing.assert_array_equal(codes, data.database.packed)
    np.testing.assert_array_equal(labels, data.labels)
    assert [shard.items for shard in folder.manifest.shards][:-1] == [size] * ((100 - 1) // size)
    assert len(folder) == 100
    assert folder.changed_files() == []
    assert np.load(tmp_path / "x" / "codes-00000.npy").shape == (min(size, 100), 2)


def test_blocks_cover_every_row_once_and_know_their_place(tmp_path, retrieval):
    folder = retrieval(items=300).write(tmp_path / "x", items_per_shard=130)
    blocks = list(folder.blocks(50))
    assert [len(block) for block in blocks] == [50, 50, 30, 50, 50, 30, 40]
    assert [block.first for block in blocks] == [0, 50, 100, 130, 180, 230, 260]


@pytest.mark.parametrize(
    ("bits", "classes", "rows"), [(64, 10, 1 << 19), (64, 1000, 16_627), (1024, 90_000, 186)]
)
def test_blocks_have_fewer_rows_where_rows_are_longer(tmp_path, bits, classes, rows):
    file = FileEntry(file="x.npy", bytes=1, sha256="0" * 64)
    shards = [ShardEntry(items=1, codes=file, labels=file)]
    folder = ShardFolder(tmp_path, Manifest(bits=bits, classes=classes, shards=shards))
    assert folder.rows_at_once == rows
    assert 4 * rows * (bits // 8 + classes + 1) <= 1 << 26


def test_a_failure_while_writing_leaves_nothing(tmp_path, retrieval):
    data = retrieval()
    with (
        pytest.raises(KeyboardInterrupt),
        ShardWriter(tmp_path / "new" / "x", bits=12, classes=5) as writer,
    ):
        writer.add(data.database, data.labels)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path, monkeypatch, retrieval):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hashbench.evaluation.sharded.writer.os.fsync", full)
    with (
        pytest.raises(StoreError, match=r"No space left on device\. Nothing of it is kept"),
        ShardWriter(tmp_path / "x", bits=12) as writer,
    ):
        writer.add(retrieval().database)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layout", "labels", "message"),
    [
        ((13, 5), lambda rows: rows, "codes of 12 bits in a folder of 13 bits"),
        ((12, None), lambda rows: rows, "give both labels and a number of classes, or neither"),
        ((12, 5), lambda rows: None, "give both labels and a number of classes, or neither"),
        ((12, 5), lambda rows: rows[:9], "9 labels for 500 codes"),
        ((12, 9), lambda rows: rows, "uint8 \\(N, 2\\), got uint8 \\(500, 1\\)"),
        ((12, 5), lambda rows: np.full(500, 5), "class numbers of 5 classes are 0 to 4"),
        ((12, 5), lambda rows: np.full(500, -2), "there are -2 to -2"),
    ],
)
def test_codes_and_labels_that_do_not_fit_are_refused(tmp_path, layout, labels, message, retrieval):
    data, (bits, classes) = retrieval(), layout
    with (
        pytest.raises(DataError, match=message),
        ShardWriter(tmp_path / "x", bits=bits, classes=classes) as writer,
    ):
        writer.add(data.database, labels(data.labels))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over_and_an_empty_one_not_made(tmp_path, retrieval):
    retrieval().write(tmp_path / "x")
    before = files(tmp_path / "x")
    with pytest.raises(StoreError, match="already exists"):
        retrieval().write(tmp_path / "x")
    assert files(tmp_path / "x") == before
    with pytest.raises(DataError, match="no codes were given"), ShardWriter(tmp_path / "y", bits=8):
        pass
    assert files(tmp_path) == ["x"]


def npy_files(folder, data):
    """Two shards as somebody else would write them."""
    folder.mkdir()
    numbers = data.labels.argmax(axis=1).astype(np.uint16)
    for name, part in (("-a", slice(0, 200)), ("-b", slice(200, None))):
        np.save(folder / f"codes{name}.npy", data.database.packed[part])
        np.save(folder / f"labels{name}.npy", numbers[part])
    return numbers


def test_files_that_are_there_are_adopted_as_they_are(tmp_path, retrieval):
    data = retrieval()
    numbers = npy_files(tmp_path / "x", data)
    before = {p.name: p.read_bytes() for p in (tmp_path / "x").iterdir()}
    manifest = adopt(tmp_path / "x", bits=12, classes=5, order_seed=3)
    folder = ShardFolder.open(tmp_path / "x")
    assert folder.manifest == manifest
    assert (manifest.order_seed, [shard.items for shard in manifest.shards]) == (3, [200, 300])
    codes, labels = whole(folder)
    np.testing.assert_array_equal(codes, data.database.packed)
    np.testing.assert_array_equal(labels.argmax(axis=1), numbers)
    after = {p.name: p.read_bytes() for p in (tmp_path / "x").iterdir() if p.name != NAME}
    assert after == before
    with pytest.raises(StoreError, match="already exists; remove it to write it anew"):
        adopt(tmp_path / "x", bits=12, classes=5)


@pytest.mark.parametrize(
    ("change", "classes", "message"),
    [
        (lambda f: [p.unlink() for p in f.iterdir()], 5, "has neither codes"),
        (lambda f: (f / "labels-b.npy").unlink(), 5, "its labels are missing; .* labels-b.npy"),
        (lambda f: np.save(f / "codes-b.npy", np.zeros((300, 3), np.uint8)), 5, r"\(300, 3\)"),
        (lambda f: np.save(f / "codes-b.npy", np.zeros((300, 2), np.int8)), 5, "got int8"),
        (lambda f: np.save(f / "codes-b.npy", np.zeros((0, 2), np.uint8)), 5, "has no codes"),
        (lambda f: np.save(f / "labels-b.npy", np.zeros(300)), 5, "labels of 5 classes are"),
        (lambda f: np.save(f / "labels-b.npy", np.zeros(9, int)), 5, "9 labels for 300 codes"),
        (lambda f: (f / "codes-b.npy").write_bytes(b"\x93NUMPY"), None, "no array that can be"),
        (lambda f: (f / "codes-b.npy").write_bytes(b""), None, "no array that can be read"),
        (lambda f: (f / "c.safetensors").write_bytes(b"\xff" * 99), None, "no array that can be"),
        (
            lambda f: np.save(f / "codes-b.npy", np.array([{}]), allow_pickle=True),
            None,
            "no array that can be read",
        ),
    ],
)
def test_files_that_are_no_shards_are_not_adopted(tmp_path, change, classes, message, retrieval):
    npy_files(tmp_path / "x", retrieval())
    change(tmp_path / "x")
    with pytest.raises(DataError, match=message) as raised:
        adopt(tmp_path / "x", bits=12, classes=classes)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "x" / NAME).exists()


def manifest_with(folder, **changes):
    path = folder / NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / NAME).unlink(), "not a folder of shards, .* hashbench shards adopt"),
        (lambda f: (f / NAME).write_text("{"), "manifest.json: .*JSON"),
        (lambda f: (f / NAME).write_text("[]"), "manifest.json: .*write it anew"),
        (lambda f: manifest_with(f, bits=0), "bits: "),
        (lambda f: manifest_with(f, version=2), "version: "),
        (lambda f: manifest_with(f, more=1), "more: "),
        (lambda f: manifest_with(f, shards=[]), "shards: "),
        (lambda f: manifest_with(f, bits=20), "packed codes of 20 bits are uint8"),
        (lambda f: manifest_with(f, classes=9), "labels of 9 classes are"),
        (lambda f: manifest_with(f, classes=None), "the manifest says no classes"),
        (lambda f: (f / "codes-00001.npy").unlink(), "codes-00001.npy: .*the manifest names it"),
        (lambda f: (f / "labels-00000.npy").write_bytes(b""), "has 0 bytes, the manifest says"),
    ],
)
def test_a_damaged_folder_is_not_opened(tmp_path, change, message, retrieval):
    retrieval().write(tmp_path / "x")
    change(tmp_path / "x")
    with pytest.raises(DataError, match=message) as raised:
        ShardFolder.open(tmp_path / "x")
    assert "\n" not in str(raised.value)


def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path, retrieval):
    retrieval().write(tmp_path / "x")
    text = (tmp_path / "x" / NAME).read_text()
    (tmp_path / "x" / NAME).write_text(text.replace("codes-00000.npy", "../codes.npy"))
    with pytest.raises(DataError, match="file: String should match pattern"):
        ShardFolder.open(tmp_path / "x")


def edit(path, at, value):
    data = bytearray(path.read_bytes())
    data[at] = value
    path.write_bytes(bytes(data))


def test_a_changed_byte_is_found_by_the_check(tmp_path, retrieval):
    folder = retrieval().write(tmp_path / "x")
    edit(tmp_path / "x" / "codes-00002.npy", 200, 77)
    (problem,) = folder.changed_files()
    assert problem.startswith(f"{tmp_path / 'x' / 'codes-00002.npy'}: has SHA-256 ")


def test_values_that_cannot_be_are_told_with_their_file(tmp_path, retrieval):
    folder = retrieval().write(tmp_path / "x")
    edit(tmp_path / "x" / "codes-00001.npy", -1, 0x0F)
    edit(tmp_path / "x" / "labels-00002.npy", -1, 0x07)
    blocks = {block.shard: block for block in folder.blocks()}
    with pytest.raises(DataError, match=r"codes-00001.npy: codes: the 4 padding bits"):
        folder.codes(blocks[1])
    with pytest.raises(DataError, match=r"labels-00002.npy: packed labels of 5 classes have"):
        folder.labels(blocks[2])
    with pytest.raises(DataError, match=r"labels-00002.npy: packed labels"):
        folder.most_labels()


@pytest.mark.parametrize("bits", [1, 12, 64, 70])
def test_synthetic_codes_lie_around_the_centres_of_their_classes(tmp_path, bits):
    made = Synthetic(20_000, bits=bits, classes=3, queries=11, seed=4)
    synthesise(made, tmp_path / "x", items_per_shard=7_000)
    database, queries = ShardFolder.open(tmp_path / "x" / DATABASE), tmp_path / "x" / QUERIES
    packed, labels = whole(database)
    assert labels.sum(axis=1).tolist() == [1] * 20_000
    set_bits = np.unpackbits(packed, axis=1, count=bits)
    shares = np.array([set_bits[labels[:, c] == 1].mean(axis=0) for c in range(3)])
    np.testing.assert_allclose(np.abs(shares - 0.5), 0.25, atol=0.03)
    codes, query_labels = read_queries(queries).codes, read_queries(queries).labels
    assert (len(codes), codes.bits, query_labels.shape) == (11, bits, (11, 3))


def test_synthetic_codes_depend_on_their_seed_alone(tmp_path):
    for name, size, seed in (("a", 999, 1), ("b", 400, 1), ("c", 999, 2)):
        synthesise(Synthetic(1_000, seed=seed), tmp_path / name, items_per_shard=size)
    first, second, other = (
        whole(ShardFolder.open(tmp_path / name / DATABASE))[0] for name in "abc"
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_more_than_the_disk_has_room_for_is_not_begun(tmp_path):
    with pytest.raises(StoreError, match="GiB are to be written"):
        synthesise(Synthetic(10**15), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
