"""Whatever a store's files hold, they are read or refused in a line; nothing is written.

HASHBENCH_FUZZ_CASES sets how many files each test tries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hashbench.core.canonical import digest_bytes
from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.core.codes import Codes
from hashbench.core.environment import capture
from hashbench.core.errors import DamagedStoreError, DataError, HashbenchError
from hashbench.core.record import Artifact, Budget, DataFacts, FitRecord, Status, compute_record_id
from hashbench.store.catalogue import read_all
from hashbench.store.codes import EncodedSplit, load_codes, save_codes
from hashbench.store.lookup import find_fit
from hashbench.store.model import KeptModel, load_model, save_model
from hashbench.store.store import FORMAT, MARKER, Store
from hashbench.worker.encoded_files import EncodedFiles

CASES = int(os.environ.get("HASHBENCH_FUZZ_CASES", "100"))
FUZZ = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = [
    *(
        None,
        True,
        0,
        -1,
        2**63,
        10**4000,
        0.5,
        1e308,
        float("inf"),
        float("nan"),
        "",
        "ok",
        "0" * 16,
    ),
    *(
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\0b",
        "a\nb",
        "\u2028",
        "\ud800",
        "x" * 5000,
        [],
        {},
        [[]],
    ),
    *({"": None}, {"\n": 1}, {"query": 1}, "nan", "fit", "evaluation", 1, 2),
]
values = st.one_of(st.sampled_from(VALUES), st.text(max_size=6), st.integers(), st.floats())


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, FitRecord]:
    """A store with one fit, its codes and its model."""
    store = Store.create(tmp_path_factory.mktemp("place") / "store")
    data = DataChoice("digits", 1, "digits@1", "a" * 64, 8, "unit")
    cell = Cell(data, bits=8, seed=0, method=Component("itq", 1, {}))
    codes = Codes(np.arange(5, dtype=np.uint8)[:, None], 8)
    labels = np.eye(5, 3, dtype=np.uint8)
    split = EncodedSplit(codes, codes, labels, labels)
    kept = KeptModel({"mean": np.zeros(2)}, ("a", "b", "c"), np.arange(5))
    record = FitRecord(
        fit_id=cell.fit_id,
        status=Status.OK,
        environment=capture(device="cpu", threads=1),
        sources={"methods/itq": "d" * 64},
        started="2026-01-01T00:00:00.000000+00:00",
        finished="2026-01-01T00:01:00.000000+00:00",
        artifacts={
            "codes": save_codes(store, cell.fit_id, split),
            "model": save_model(store, cell.fit_id, kept),
        },
        cell=cell,
        data=DataFacts(checksums={"pixels": "f" * 64}, sizes={"classes": 3}),
        budget=Budget(epochs=0, images_seen=0, parameters=0, peak_memory_bytes=1),
        history=[{"epoch": 1}],
    )
    return store, store.write_record(record)


def record_file(store: Store) -> Path:
    (found,) = store.root.glob("*/fit-*.json")
    return found


def snapshot(store: Store) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


def refused_or_fine(read: Callable[[], Any], *errors: type[HashbenchError]) -> None:
    try:
        read()
    except errors as error:
        assert len(str(error).splitlines()) == 1, str(error)


def read_everything(store: Store) -> None:
    """Do with the records of a store what commands do."""
    for cell in read_all(store):
        if cell.fit is not None and cell.fitted:
            find_fit(store, cell.fit.record_id)
            refused_or_fine(partial(load_codes, store, cell.fit), DamagedStoreError)
            refused_or_fine(partial(load_model, store, cell.fit), DamagedStoreError, DataError)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of a tree."""
    yield path
    items: Any = tree.items() if isinstance(tree, dict) else ()
    for key, value in enumerate(tree) if isinstance(tree, list) else items:
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], new: Any, *, key: str | None) -> Any:
    """The tree with one value replaced, or with a key and its value added beside it."""
    if not path:
        return new
    here = tree
    for part in path[:-1]:
        here = here[part]
    if key is not None and isinstance(here, dict):
        here[key] = new
    else:
        here[path[-1]] = new
    return tree


def check_with(store: Store, content: bytes, *, name: str | None = None) -> None:
    """Put other content in the record's place, read the store, and put things back."""
    file = record_file(store)
    before = file.read_bytes()
    placed = file.with_name(name or file.name)
    file.unlink()
    try:
        placed.write_bytes(content)
        state = snapshot(store)
        refused_or_fine(lambda: read_everything(store), DamagedStoreError)
        assert snapshot(store) == state
    finally:
        placed.unlink()
        file.write_bytes(before)


@FUZZ
@given(start=st.integers(0, 3000), cut=st.integers(0, 400), put=st.binary(max_size=20))
def test_a_record_with_damaged_text_is_damage_in_one_line(
    start: int, cut: int, put: bytes, fit: tuple[Store, FitRecord]
) -> None:
    store, _ = fit
    content = record_file(store).read_bytes()
    check_with(store, content[:start] + put + content[start + cut :])


@FUZZ
@given(content=st.one_of(st.binary(max_size=60), st.sampled_from([b"[" * 10**5, b'{"a":' * 10**5])))
@example(content=b"1" * 5000)
@example(content=b"\xef\xbb\xbf{}")
@example(content=b"NaN")
def test_a_file_of_any_content_is_no_record(content: bytes, fit: tuple[Store, FitRecord]) -> None:
    check_with(fit[0], content)


@FUZZ
@given(
    data=st.data(),
    new=values,
    key=st.one_of(st.none(), st.sampled_from(["", "a\nb", "\ud800", "extra", "x" * 5000])),
    sealed=st.booleans(),
)
def test_a_record_with_other_values_is_read_or_refused_even_if_it_is_sealed_again(
    data: st.DataObject, new: Any, key: str | None, sealed: bool, fit: tuple[Store, FitRecord]
) -> None:
    store, _ = fit
    tree = json.loads(record_file(store).read_text())
    path = data.draw(st.sampled_from(sorted(places(tree), key=str)))
    tree = changed(tree, path, new, key=key)
    name = None
    if sealed and isinstance(tree, dict):
        try:
            tree["record_id"] = compute_record_id(tree)
        except ValueError:  # what cannot be sealed is tried as it is
            pass
        else:
            name = f"fit-{tree['record_id']}.json"
    check_with(store, json.dumps(tree).encode(), name=name)


def test_what_is_changed_above_is_read_before(fit: tuple[Store, FitRecord]) -> None:
    store, record = fit
    assert find_fit(store, record.fit_id) == record
    assert load_model(store, record).classes == ("a", "b", "c")
    assert load_codes(store, record).query_labels.shape == (5, 3)


@FUZZ
@given(start=st.integers(0, 600), cut=st.integers(0, 600), put=st.binary(max_size=20))
def test_a_crafted_artifact_with_the_right_checksum_is_damage_too(
    start: int, cut: int, put: bytes, fit: tuple[Store, FitRecord]
) -> None:
    store, record = fit
    for name in ("codes", "model"):
        whole = store.root / record.fit_id / record.artifacts[name].file
        content = whole.read_bytes()
        crafted = content[:start] + put + content[start + cut :]
        artifact = Artifact(file="crafted", sha256=digest_bytes(crafted), bytes=len(crafted))
        file = whole.with_name("crafted")
        file.write_bytes(crafted)
        claimed = record.model_copy(update={"artifacts": {name: artifact}})
        try:
            read = partial(load_codes if name == "codes" else load_model, store, claimed)
            refused_or_fine(read, DamagedStoreError)
        finally:
            file.unlink()


@FUZZ
@given(content=st.one_of(st.binary(max_size=60), st.sampled_from([b"[" * 10**5])))
@example(content=json.dumps({**FORMAT, "version": "\n"}).encode())
@example(content=json.dumps({**FORMAT, "version": [float("nan")]}).encode())
def test_a_marker_of_any_content_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_bytes(content)
    refused_or_fine(lambda: Store.create(tmp_path), HashbenchError)
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What ``hashbench encode`` writes for three images."""
    file = tmp_path_factory.mktemp("encoded") / "codes.npz"
    codes = Codes(np.arange(3, dtype=np.uint8)[:, None], 8)
    EncodedFiles(codes, ["a", "b", "c"], "0" * 16, "1" * 16).write(file)
    assert EncodedFiles.read(file).paths == ["a", "b", "c"]
    return file.read_bytes()


@FUZZ
@given(start=st.integers(0, 1500), cut=st.integers(0, 300), put=st.binary(max_size=20))
@example(start=0, cut=9999, put=b"")
def test_encoded_files_of_any_content_are_read_or_refused_in_one_line(
    start: int, cut: int, put: bytes, encoded: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "codes.npz"
    file.write_bytes(encoded[:start] + put + encoded[start + cut :])
    refused_or_fine(lambda: EncodedFiles.read(file), DataError)
    assert list(tmp_path.iterdir()) == [file]
