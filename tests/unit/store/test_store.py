"""The store: what is written comes back, and what is damaged is told."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from hashbench.core.errors import DamagedStoreError, ExitCode, StoreError
from hashbench.core.record import FitRecord
from hashbench.store.store import FORMAT, MARKER, Store

KINDS = ["fit_record", "evaluation_record", "latency_record"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def written(store: Store, fit_record: FitRecord) -> Path:
    """The file of a record that was written."""
    record = store.write_record(fit_record)
    return store.root / record.fit_id / f"fit-{record.record_id}.json"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_comes_back_as_it_was_written(
    kind: str, store: Store, request: pytest.FixtureRequest
) -> None:
    record = store.write_record(request.getfixturevalue(kind))
    (back,) = Store.open(store.root).records(record.fit_id)
    assert back == record
    assert type(back) is type(record)
    assert names(store.root / record.fit_id) == [f"{record.kind}-{record.record_id}.json"]


def test_a_cell_that_comes_back_has_the_same_id(store: Store, fit_record: FitRecord) -> None:
    store.write_record(fit_record)
    (back,) = store.records(fit_record.fit_id)
    assert isinstance(back, FitRecord)
    assert back.cell.fit_id == back.fit_id == fit_record.fit_id


def test_the_same_record_written_twice_is_one_file(store: Store, fit_record: FitRecord) -> None:
    store.write_record(fit_record)
    store.write_record(fit_record)
    assert len(list(store.records(fit_record.fit_id))) == 1


def test_records_come_oldest_first(store: Store, fit_record: FitRecord) -> None:
    times = [f"2026-01-0{day}T00:00:00.000000+00:00" for day in (3, 1, 2)]
    for time in times:
        store.write_record(fit_record.model_copy(update={"finished": time}))
    assert [record.finished for record in store.records(fit_record.fit_id)] == sorted(times)


def test_cells_are_listed_once_they_have_a_record(store: Store, fit_record: FitRecord) -> None:
    store.write_arrays("e" * 16, "codes", {"a": np.zeros(1)}, metadata={})
    store.work_folder("f" * 16).mkdir(parents=True)
    (store.work_folder("f" * 16) / "fit-x.json").write_text("{}")
    assert store.fit_ids() == []
    store.write_record(fit_record)
    assert store.fit_ids() == [fit_record.fit_id]


def test_a_temporary_file_of_a_killed_process_is_no_record(written: Path, store: Store) -> None:
    (written.parent / f".tmp-77-{written.name}").write_text('{"half of')
    assert len(list(store.records(written.parent.name))) == 1


def test_a_full_disk_leaves_no_temporary_file_and_the_store_valid(
    store: Store, fit_record: FitRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.write_record(fit_record)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(StoreError, match="No space left on device") as caught:
            store.write_record(fit_record.model_copy(update={"finished": "2027"}))
        with pytest.raises(StoreError, match="No space left on device"):
            store.write_arrays(first.fit_id, "codes", {"a": np.zeros(1)}, metadata={})
    assert caught.value.exit_code == ExitCode.USAGE
    assert names(store.root / first.fit_id) == [f"fit-{first.record_id}.json"]
    assert list(Store.open(store.root).records(first.fit_id)) == [first]


def test_a_full_disk_when_the_store_is_made_leaves_nothing_that_stands_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(StoreError):
            Store.create(tmp_path / "store")
    assert Store.create(tmp_path / "store").fit_ids() == []


def _truncate(text: str) -> str:
    return text[: len(text) // 2]


def _edit_a_digit(text: str) -> str:
    assert '"images_seen": 300' in text
    return text.replace('"images_seen": 300', '"images_seen": 301')


def _add_a_key(text: str) -> str:
    return json.dumps({**json.loads(text), "extra": 1})


def _other_id(text: str) -> str:
    return json.dumps({**json.loads(text), "record_id": "0" * 16})


def _newer(text: str) -> str:
    return json.dumps({**json.loads(text), "schema_version": 2})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "is not JSON"),
        (lambda _: "", "is not JSON"),
        (lambda _: "[1]", "is no record"),
        (lambda _: "[" * 100_000, "is not JSON"),
        (_edit_a_digit, "was changed after it was written"),
        (_other_id, "was changed after it was written"),
        (_add_a_key, "is no record this version can read"),
        (_newer, "is no record this version can read"),
    ],
)
def test_a_damaged_record_is_one_line_with_the_file_and_a_remedy(
    damage: Callable[[str], str], message: str, written: Path, store: Store
) -> None:
    written.write_text(damage(written.read_text()))
    with pytest.raises(DamagedStoreError, match=message) as caught:
        list(store.records(written.parent.name))
    assert caught.value.exit_code == ExitCode.STORE_DAMAGED
    assert str(written) in str(caught.value)
    assert f"move {written.name} out of the store and run the matrix again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layout_and_line_ends_of_a_record_do_not_matter(written: Path, store: Store) -> None:
    (before,) = store.records(written.parent.name)
    document = json.loads(written.read_text())
    written.write_text(json.dumps(dict(reversed(document.items()))) + "\r\n")
    assert list(store.records(written.parent.name)) == [before]


@pytest.mark.parametrize("place", ["{fit}/fit-0000.json", "0000/{name}"])
def test_a_record_that_is_not_in_its_place_is_damage(
    place: str, written: Path, store: Store
) -> None:
    moved = store.root / place.format(fit=written.parent.name, name=written.name)
    moved.parent.mkdir(exist_ok=True)
    written.rename(moved)
    with pytest.raises(DamagedStoreError, match=f"belongs to {written.parent.name}"):
        list(store.records(moved.parent.name))


def test_arrays_come_back_as_they_were_written(store: Store) -> None:
    arrays = {
        "codes": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "values": np.array([0.1, np.nan]),
        "none": np.zeros((0, 2), dtype=np.float32),
    }
    artifact = store.write_arrays("a" * 16, "codes", arrays, metadata={"bits": "32"})
    back = store.read_arrays("a" * 16, artifact)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert artifact.file == f"codes-{artifact.sha256[:16]}.safetensors"
    assert artifact.bytes == (store.root / ("a" * 16) / artifact.file).stat().st_size


def test_equal_arrays_are_equal_files(tmp_path: Path) -> None:
    written = set()
    for folder in ("a", "b", "c", "d"):
        store = Store.create(tmp_path / folder)
        metadata = {"bits": "32", "classes": "10", "more": "words"}
        artifact = store.write_arrays("a" * 16, "codes", {"x": np.arange(4)}, metadata=metadata)
        written.add((artifact.file, artifact.sha256))
    assert len(written) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_artifact_is_one_line_with_the_file_and_a_remedy(
    damage: str, store: Store
) -> None:
    artifact = store.write_arrays("a" * 16, "codes", {"a": np.zeros(9)}, metadata={})
    file = store.root / ("a" * 16) / artifact.file
    data = file.read_bytes()
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if damage == "truncate" else data[:-1] + b"\x01")
    with pytest.raises(DamagedStoreError) as caught:
        store.read_arrays("a" * 16, artifact)
    assert str(file) in str(caught.value)
    assert f"move {'a' * 16} out of the store and run the matrix again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_store_is_made_in_a_missing_or_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "deep" / "missing", tmp_path / "empty"):
        Store.create(root)
        assert names(root) == [MARKER]
        assert Store.create(root).fit_ids() == []


def test_finding_a_store_writes_nothing(tmp_path: Path) -> None:
    found = Store.find(tmp_path / "missing")
    assert found.fit_ids() == []
    assert list(found.records("a" * 16)) == []
    assert names(tmp_path) == []


def test_opening_no_store_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"store .*missing: no such store; run a matrix first"):
        Store.open(tmp_path / "missing")


@pytest.mark.parametrize("open_it", [Store.open, Store.find, Store.create])
def test_a_place_taken_by_something_else_is_left_alone(
    open_it: Callable[[Path], Store], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match="file is a file, not a folder"):
        open_it(tmp_path / "file")
    with pytest.raises(StoreError, match="folder is neither empty nor a store"):
        open_it(tmp_path / "folder")
    assert names(tmp_path / "folder") == ["thesis.tex"]


def test_a_store_cannot_be_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="cannot write"):
        Store.create(tmp_path / "file" / "below")
    assert names(tmp_path) == ["file"]


def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    marker = tmp_path / MARKER
    marker.write_text(json.dumps({**FORMAT, "version": 2}))
    with pytest.raises(
        StoreError, match="says version 2, this hashbench reads version 1"
    ) as caught:
        Store.create(tmp_path)
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "other", "version": 1}'])
def test_a_damaged_marker_says_what_it_should_hold(content: str, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(
        DamagedStoreError, match=r'should be \{"format": "hashbench-store"'
    ) as caught:
        Store.open(tmp_path)
    assert str(tmp_path / MARKER) in str(caught.value)
