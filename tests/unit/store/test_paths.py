"""What a store names lies in the store, and holds what it should."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hashbench.core.canonical import digest_bytes
from hashbench.core.errors import DamagedStoreError
from hashbench.core.record import Artifact, DataFacts, FitRecord
from hashbench.store.codes import NAME, load_codes
from hashbench.store.index import read_outcomes
from hashbench.store.store import FORMAT, MARKER, Store

IRREGULAR = {
    "a symbolic link": lambda path: path.symlink_to(path.name),  # to itself
    "a directory": Path.mkdir,
    "a named pipe": os.mkfifo,
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.mark.parametrize(
    "file", ["../x", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\0b", "a\n", ".hidden", "~x y"]
)
def test_a_record_names_files_and_never_paths(file: str) -> None:
    with pytest.raises(ValidationError, match="file"):
        Artifact(file=file, sha256="0" * 64, bytes=1)


def test_a_path_that_was_put_past_the_schema_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    outside = Artifact.model_construct(file="../../secret", sha256=digest_bytes(b"secret"), bytes=6)
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        store.read_arrays("a" * 16, outside)


def test_an_artifact_that_is_a_link_out_of_the_store_is_not_read(
    store: Store, tmp_path: Path
) -> None:
    artifact = store.write_arrays("a" * 16, "codes", {"x": np.arange(4)}, metadata={})
    file = store.root / ("a" * 16) / artifact.file
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    for read in (store.read_arrays, store.read_metadata):
        with pytest.raises(DamagedStoreError) as caught:
            read("a" * 16, artifact)
        assert str(caught.value) == (
            f"store: {file} leads out of the store; put the file itself in its place, or move "
            f"{'a' * 16} out of the store and run the matrix again"
        )


def test_a_record_that_is_a_link_out_of_the_store_is_not_read(
    store: Store, tmp_path: Path, fit_record: FitRecord
) -> None:
    record = store.write_record(fit_record)
    file = store.root / record.fit_id / f"fit-{record.record_id}.json"
    file.rename(tmp_path / file.name)
    file.symlink_to(tmp_path / file.name)
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        list(store.records(record.fit_id))


def test_nothing_is_written_through_a_cells_folder_that_is_a_link(
    store: Store, tmp_path: Path, fit_record: FitRecord
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (store.root / fit_record.fit_id).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        store.write_record(fit_record)
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        store.write_arrays(fit_record.fit_id, "codes", {"x": np.arange(4)}, metadata={})
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("fit_id", ["..", "../elsewhere"])
def test_nothing_is_written_beside_the_store_whatever_the_id(
    fit_id: str, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        store.write_arrays(fit_id, "codes", {"x": np.arange(4)}, metadata={})
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_store_may_itself_be_a_link(store: Store, tmp_path: Path, fit_record: FitRecord) -> None:
    (tmp_path / "link").symlink_to(store.root)
    through = Store.open(tmp_path / "link")
    record = through.write_record(fit_record)
    assert list(through.records(record.fit_id)) == list(store.records(record.fit_id)) == [record]


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_only_a_regular_file_is_read_as_a_record(
    kind: str, store: Store, fit_record: FitRecord
) -> None:
    record = store.write_record(fit_record)
    file = store.root / record.fit_id / f"fit-{record.record_id}.json"
    file.unlink()
    IRREGULAR[kind](file)
    for read in (lambda: list(store.records(record.fit_id)), lambda: read_outcomes(store)):
        with pytest.raises(DamagedStoreError) as caught:
            read()
        assert str(caught.value) == (
            f"store: {file} is {kind}, not a regular file; "
            f"move {file.name} out of the store and run the matrix again"
        )


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_only_a_regular_file_is_read_as_the_marker(kind: str, store: Store) -> None:
    marker = store.root / MARKER
    marker.unlink()
    IRREGULAR[kind](marker)
    for read in (Store.open, Store.find, Store.create):
        with pytest.raises(DamagedStoreError) as caught:
            read(store.root)
        assert str(caught.value) == (
            f"store: {marker} is {kind}, not a regular file; "
            f"replace it by a file with the content {json.dumps(FORMAT)}"
        )


def test_a_named_pipe_is_not_read_as_arrays(store: Store) -> None:
    artifact = store.write_arrays("a" * 16, "codes", {"x": np.arange(4)}, metadata={})
    file = store.root / ("a" * 16) / artifact.file
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DamagedStoreError, match="is a named pipe, not a regular file; move aaaa"):
        store.read_arrays("a" * 16, artifact)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"query": np.zeros((2, 2), np.uint8)}, "'database'"),
        ({"query": np.zeros((2, 3), np.uint8)}, "16 bits take 2 bytes a row, got 3"),
        ({"query": np.zeros((2, 2), np.float32)}, "packed codes are uint8"),
        (
            {
                "query": np.zeros((2, 2), np.uint8),
                "database": np.zeros((3, 2), np.uint8),
                "query_labels": np.zeros((2, 2), np.uint8),
                "database_labels": np.zeros((4, 2), np.uint8),
            },
            "labels: 3 rows of 10 classes are uint8 (3, 2), got uint8 (4, 2)",
        ),
    ],
    ids=["missing", "wider", "floats", "labels of another length"],
)
def test_arrays_with_the_right_checksum_that_are_no_codes_are_damage(
    arrays: dict[str, np.ndarray], why: str, store: Store, fit_record: FitRecord
) -> None:
    whole = {name: np.zeros((2, 2), np.uint8) for name in ("query", "database")}
    artifact = store.write_arrays(
        fit_record.fit_id, NAME, arrays if "database" in why else {**whole, **arrays}, metadata={}
    )
    fit = fit_record.model_copy(
        update={
            "data": DataFacts(checksums={}, sizes={"classes": 10}),
            "artifacts": {NAME: artifact},
        }
    )
    with pytest.raises(DamagedStoreError) as caught:
        load_codes(store, fit)
    assert why in str(caught.value)
    assert f"{artifact.file} holds no codes of record" in str(caught.value)
    assert f"move {fit.fit_id} out of the store and run the matrix again" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"{}", b"\0" * 100])
def test_a_file_with_the_right_checksum_that_holds_no_arrays_is_damage(
    content: bytes, store: Store
) -> None:
    folder = store.root / ("a" * 16)
    folder.mkdir()
    (folder / "codes").write_bytes(content)
    artifact = Artifact(file="codes", sha256=digest_bytes(content), bytes=len(content))
    with pytest.raises(DamagedStoreError, match="holds no arrays this version can read"):
        store.read_metadata("a" * 16, artifact)
    if content != b"\x02" + b"\0" * 7 + b"{}":  # a file of no arrays, and of no metadata
        with pytest.raises(DamagedStoreError, match="holds no arrays this version can read"):
            store.read_arrays("a" * 16, artifact)
