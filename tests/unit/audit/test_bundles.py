"""Bundles: equal records give equal bytes, and nothing in one is believed unchecked."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashbench.audit.bundle import opened_bundle, verify_bundle
from hashbench.audit.export import export_bundle
from hashbench.audit.import_bundle import import_bundle
from hashbench.audit.manifest import NAME, Manifest, seal_file
from hashbench.audit.verify import verify_store
from hashbench.core.errors import (
    ConfigError,
    DamagedStoreError,
    HashbenchError,
    NothingSelectedError,
    StoreError,
)
from hashbench.core.record import FitRecord
from hashbench.core.registry import registry
from hashbench.store.store import Store

Forge = Callable[[Path, Callable[[dict[str, Any]], object]], Path]
MakeFit = Callable[..., FitRecord]
BESIDE = {
    *("README.txt", "CITATION.cff", "references.bib", "matrix.json", "constraints-1.txt"),
    "manifest.json",
}


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def bundle(store: Store, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    export_bundle(store, path, registry())
    return path


@pytest.fixture(scope="module")
def whole(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "bundle.zip"
    export_bundle(Store.open(template), path, registry())
    return path


def repacked(bundle: Path, edit: Callable[[dict[str, bytes]], object], *, seal: bool) -> Path:
    """The bundle with other files; with ``seal`` its manifest says so too."""
    with zipfile.ZipFile(bundle) as old:
        files = {name: old.read(name) for name in old.namelist()}
    absent = json.loads(files.pop(NAME))["absent"]
    edit(files)
    if seal:
        seals = {name: seal_file(data) for name, data in files.items()}
        manifest = Manifest.model_construct(files=seals, absent=absent)
    else:
        with zipfile.ZipFile(bundle) as old:
            manifest = Manifest.read(old.read(NAME), source="old")
    new = bundle.with_name("edited.zip")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as packed:
        for name, data in {**files, NAME: manifest.data()}.items():
            packed.writestr(name, data)
    return new


def refused(bundle: Path, tmp_path: Path) -> str:
    """What an import says that refuses a bundle, and leaves no trace."""
    root = tmp_path / "other"
    with pytest.raises(DamagedStoreError) as caught:
        import_bundle(bundle, root)
    assert not root.exists()
    return str(caught.value)


def test_equal_records_give_equal_bytes_whatever_the_clock_and_the_folder(
    store: Store, bundle: Path, tmp_path: Path
) -> None:
    for path in store.root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    store.root.rename(tmp_path / "elsewhere")
    export_bundle(Store.open(tmp_path / "elsewhere"), tmp_path / "again.zip", registry())
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_a_bundle_holds_the_store_to_the_byte_and_what_tells_of_it(
    store: Store, bundle: Path
) -> None:
    with zipfile.ZipFile(bundle) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name: files[name] for name in files.keys() - BESIDE} == bytes_of(store.root)
    assert files.keys() >= BESIDE
    assert b"torch==2.11.0" in files["constraints-1.txt"]
    cells = json.loads(files["matrix.json"])["cells"]
    assert [cell["fit_id"] for cell in cells] == store.fit_ids()
    assert cells[0]["cell"]["method"]["name"] == "lsh"
    assert b"@misc{alpaydin1998optical," in files["references.bib"]  # digits
    assert files["CITATION.cff"].startswith(b"cff-version: 1.2.0\n")


def test_a_bundle_goes_into_a_new_store_as_it_was(
    store: Store, bundle: Path, tmp_path: Path
) -> None:
    made = import_bundle(bundle, tmp_path / "other")
    assert bytes_of(tmp_path / "other") == bytes_of(store.root)
    assert (made.added, made.known, made.notes) == (len(bytes_of(store.root)), 0, ())


def test_importing_twice_adds_nothing(store: Store, bundle: Path, tmp_path: Path) -> None:
    first = import_bundle(bundle, tmp_path / "other")
    second = import_bundle(bundle, tmp_path / "other")
    assert (second.added, second.known) == (0, first.added)


def test_only_the_cells_wanted_are_exported(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    made = export_bundle(store, path, registry(), wanted=lambda cell: cell.seed == 1)
    assert (made.cells, made.records) == (1, 2)
    with pytest.raises(NothingSelectedError, match="no record of"):
        export_bundle(store, path, registry(), wanted=lambda cell: cell.seed == 2)


def test_artifacts_left_out_are_named_and_missed_by_nobody(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "light.zip"
    made = export_bundle(store, path, registry(), without=["codes"])
    assert made.absent == 2
    with opened_bundle(path) as opened:
        audit = verify_bundle(opened)
        assert not list(opened.root.glob("*/codes-*"))
    assert audit.problems == []
    assert [note.what.partition(";")[0] for note in audit.notes] == ["left out", "left out"]


def test_what_was_left_out_is_known_wherever_the_bundle_goes(store: Store, tmp_path: Path) -> None:
    export_bundle(store, tmp_path / "light.zip", registry(), without=["codes"])
    second, third = tmp_path / "second", tmp_path / "third"
    import_bundle(tmp_path / "light.zip", second)
    assert verify_store(second).problems == []
    assert len((second / "left-out.txt").read_text().splitlines()) == 2

    export_bundle(Store.open(second), tmp_path / "again.zip", registry())
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "light.zip").read_bytes()

    export_bundle(store, tmp_path / "whole.zip", registry())
    import_bundle(tmp_path / "whole.zip", third)
    import_bundle(tmp_path / "light.zip", third)
    assert not (third / "left-out.txt").exists()


def test_a_damaged_store_is_not_exported(store: Store, fit: FitRecord, tmp_path: Path) -> None:
    codes = store.root / fit.fit_id / fit.artifacts["codes"].file
    content = codes.read_bytes()
    codes.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedStoreError, match="differs from its record"):
        export_bundle(store, tmp_path / "bundle.zip", registry())
    codes.unlink()
    with pytest.raises(DamagedStoreError, match="--without codes"):
        export_bundle(store, tmp_path / "bundle.zip", registry())
    assert list(tmp_path.iterdir()) == [store.root]


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/evil.json", "a/b/c.json", "0123456789abcdef/../../x", ".work/x", "x.py"],
)
@pytest.mark.parametrize("seal", [True, False])
def test_a_path_that_leaves_the_bundle_is_refused(
    bundle: Path, tmp_path: Path, name: str, *, seal: bool
) -> None:
    edited = repacked(bundle, lambda files: files.update({name: b"evil"}), seal=seal)
    assert "is not allowed in a bundle; do not trust it" in refused(edited, tmp_path)


def test_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as packed:
        entry = zipfile.ZipInfo("0123456789abcdef/link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(entry, "/etc/passwd")
    assert "is not allowed in a bundle" in refused(bundle, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as packed:
        packed.writestr("store.json", b"{}")
    assert "two files with the same name" in refused(bundle, tmp_path)


def test_a_packed_file_is_refused_before_it_is_unpacked(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("0123456789abcdef/codes-0.safetensors", b"\0" * 10**7)
    assert "is compressed or encrypted" in refused(bundle, tmp_path)


def test_files_above_the_limit_are_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"more than 1,000; raise the limit with --max-gib"):
        import_bundle(bundle, tmp_path / "other", max_bytes=1000)
    assert not (tmp_path / "other").exists()


def test_a_file_that_the_manifest_does_not_name_or_that_is_missing_is_refused(
    bundle: Path, tmp_path: Path
) -> None:
    more = repacked(
        bundle, lambda files: files.update({"0123456789abcdef/fit-0.json": b"{}"}), seal=False
    )
    assert "in the zip file or its manifest, but not in both" in refused(more, tmp_path)
    fewer = repacked(bundle, lambda files: files.pop("references.bib"), seal=False)
    assert "references.bib is in the zip file" in refused(fewer, tmp_path)


def test_an_edited_record_is_refused_even_where_the_manifest_was_made_anew(
    bundle: Path, tmp_path: Path
) -> None:
    def edit(files: dict[str, bytes]) -> None:
        name = next(name for name in files if "/evaluation-" in name)
        files[name] = files[name].replace(b'"queries": 20', b'"queries": 21')

    assert "differs from its checksum in manifest.json" in refused(
        repacked(bundle, edit, seal=False), tmp_path
    )
    assert "was changed after it was written" in refused(
        repacked(bundle, edit, seal=True), tmp_path
    )


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    assert "is no complete zip file" in refused(path, tmp_path)


def test_a_zip_without_a_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("store.json", b"{}")
    assert "has no manifest.json; name a file that hashbench export made" in refused(path, tmp_path)


def test_a_bundle_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        import_bundle(tmp_path / "no.zip", tmp_path / "other")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_byte_changed_anywhere_is_refused_or_changes_no_content(
    whole: Path, data: st.DataObject
) -> None:
    content = bytearray(whole.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    edited = whole.with_name("flipped.zip")
    edited.write_bytes(content)
    with zipfile.ZipFile(whole) as packed:
        sound = {name: packed.read(name) for name in packed.namelist()}
    try:
        with opened_bundle(edited) as opened:
            assert bytes_of(opened.root) == {k: v for k, v in sound.items() if k != NAME}
    except HashbenchError as error:
        assert len(str(error).splitlines()) == 1


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Store:
    """An empty store."""
    return Store.create(tmp_path / "other")


def told(bundle: Path, into: Store) -> Iterator[str]:
    before = bytes_of(into.root)
    with pytest.raises(ConfigError) as caught:
        import_bundle(bundle, into.root)
    assert bytes_of(into.root) == before
    yield from str(caught.value).splitlines()


def test_other_codes_of_a_run_that_had_to_give_the_same_are_refused(
    bundle: Path, other: Store, another_fit: MakeFit
) -> None:
    another_fit(other, seed=0, draw=99)
    first, last = told(bundle, other)
    assert "has other codes than" in first
    assert "made by the same code on a like machine" in first
    assert last.startswith("import: ")


def test_equal_codes_of_two_runs_stand_beside_each_other(
    bundle: Path, other: Store, another_fit: MakeFit, store: Store
) -> None:
    again = another_fit(other, seed=0, draw=0)
    import_bundle(bundle, other.root)
    assert again in list(other.records(again.fit_id))


def test_a_file_there_with_another_content_is_refused(
    bundle: Path, other: Store, fit: FitRecord
) -> None:
    file = other.root / fit.fit_id / fit.artifacts["codes"].file
    file.parent.mkdir()
    file.write_bytes(b"other")
    assert "with another content" in next(told(bundle, other))


def test_another_value_of_a_metric_of_the_same_codes_is_refused(
    store: Store, bundle: Path, forged: Forge, only: Callable[[Store, str], Path]
) -> None:
    path = only(store, "evaluation-*.json")
    forged(path, lambda d: [e.update(value=0.5) for e in d["metrics"].values()])
    lines = list(told(bundle, store))
    assert len(lines) == 4  # three metrics
    assert "differ in " in lines[0]


def test_an_import_that_cannot_be_finished_leaves_the_store_as_it_was(
    bundle: Path, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashbench.audit import merge

    written, real = [], merge.write_atomically

    def full_disk(path: Path, data: bytes) -> None:
        if len(written) == 4:
            raise StoreError("disk full")
        written.append(path)
        real(path, data)

    monkeypatch.setattr(merge, "write_atomically", full_disk)
    before = bytes_of(other.root)
    with pytest.raises(StoreError, match="disk full"):
        import_bundle(bundle, other.root)
    assert len(written) == 4
    assert bytes_of(other.root) == before
    assert [path.name for path in other.root.iterdir()] == ["store.json"]
