"""Stores from several places in one, or one line on why not."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hashbench.audit.merge import merge, plan_merge
from hashbench.audit.verify import verify_store
from hashbench.cli import main
from hashbench.core.errors import ConfigError, DamagedStoreError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import FitRecord
from hashbench.store.store import Store


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def sites(store: Store, tmp_path: Path) -> tuple[Path, Path]:
    """Return two stores with one cell each, cut out of the store with two."""
    one, two = (Store.create(tmp_path / name) for name in ("one", "two"))
    for site, fit_id in zip((one, two), store.fit_ids(), strict=True):
        shutil.copytree(store.root / fit_id, site.root / fit_id)
    return one.root, two.root


def test_the_shards_of_a_store_become_that_store_to_the_byte(
    sites: tuple[Path, Path], store: Store, tmp_path: Path
) -> None:
    into = tmp_path / "all"
    plan = plan_merge(sites, into)
    assert not into.exists()
    merge(plan)
    assert files(into) == files(store.root)
    assert verify_store(into).problems == []
    again = plan_merge(sites, into)
    assert (len(again.new), again.known, again.cells) == (0, len(files(store.root)) - 1, 2)


def test_a_merge_that_was_interrupted_left_whole_records_and_goes_on(
    sites: tuple[Path, Path], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into, written = tmp_path / "all", 0

    def full(path: Path, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 5:
            raise StoreError(f"cannot write {path}: {errno.ENOSPC}")
        write_atomically(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("hashbench.audit.merge.write_atomically", full)
        with pytest.raises(StoreError):
            merge(plan_merge(sites, into))
    assert verify_store(into).problems == []
    assert 0 < len(files(into)) < len(files(store.root))
    merge(plan_merge(sites, into))
    assert files(into) == files(store.root)


def test_a_later_measurement_finds_its_fit_in_another_store(
    store: Store, tmp_path: Path, only: Callable[[Store, str], Path]
) -> None:
    part = Store.create(tmp_path / "part")
    evaluation = only(store, "evaluation-*.json")
    folder = part.root / evaluation.parent.name
    folder.mkdir()
    for path in (evaluation, only(store, "per-query-*.safetensors")):
        shutil.move(path, folder / path.name)

    merge(plan_merge([part.root], store.root))
    assert verify_store(store.root).problems == []
    with pytest.raises(DamagedStoreError, match="which is in none of the stores"):
        plan_merge([part.root], tmp_path / "new")


def refused(sources: list[Path], into: Path) -> str:
    before = files(into) if into.exists() else None
    with pytest.raises(ConfigError) as caught:
        plan_merge(sources, into)
    assert (files(into) if into.exists() else None) == before
    return str(caught.value)


def test_other_codes_of_a_run_that_had_to_give_the_same_are_refused_wherever_they_are(
    store: Store, tmp_path: Path, fit: FitRecord, another_fit: Callable[..., FitRecord]
) -> None:
    other = Store.create(tmp_path / "other")
    theirs = another_fit(other, seed=0, draw=7)
    for sources, into in (([other.root], store.root), ([store.root, other.root], tmp_path / "new")):
        problem = refused(sources, into)
        assert theirs.record_id in problem
        assert fit.record_id in problem
        assert "made by the same code on a like machine" in problem
    assert not (tmp_path / "new").exists()


def test_other_codes_with_an_excuse_are_told_and_stand_beside_each_other(
    store: Store,
    tmp_path: Path,
    another_fit: Callable[..., FitRecord],
    forged: Callable[[Path, Callable[[dict[str, Any]], object]], Path],
) -> None:
    other = Store.create(tmp_path / "other")
    theirs = another_fit(other, seed=0, draw=7)
    path = other.root / theirs.fit_id / f"fit-{theirs.record_id}.json"
    forged(path, lambda document: document["environment"].update(threads=2))

    plan = plan_merge([other.root], store.root)

    (note,) = plan.notes
    assert "has other codes than" in note
    assert "threads: 1, now 2" in note
    merge(plan)
    assert verify_store(store.root).problems == []


def test_two_values_of_a_metric_of_the_same_codes_are_refused(
    store: Store,
    tmp_path: Path,
    only: Callable[[Store, str], Path],
    forged: Callable[[Path, Callable[[dict[str, Any]], object]], Path],
) -> None:
    shutil.copytree(store.root, tmp_path / "other")
    path = only(Store(tmp_path / "other"), "evaluation-*.json")

    def edit(document: dict[str, Any]) -> None:
        for entry in document["metrics"].values():
            entry["value"] = 0.875

    forged(path, edit)
    assert "differ in map@all" in refused([tmp_path / "other"], store.root)


@pytest.mark.parametrize("pattern", ["fit-*.json", "codes-*.safetensors"])
def test_a_changed_byte_in_a_source_is_refused_by_the_name_of_its_file(
    store: Store, tmp_path: Path, only: Callable[[Store, str], Path], pattern: str
) -> None:
    path = only(store, pattern)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedStoreError) as caught:
        plan_merge([store.root], tmp_path / "new")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_an_array_that_a_source_does_without_is_done_without_unless_another_has_it(
    store: Store, tmp_path: Path, only: Callable[[Store, str], Path]
) -> None:
    shutil.copytree(store.root, tmp_path / "light")
    light = Store(tmp_path / "light")
    array = only(light, "distances-*.safetensors")
    name = f"{array.parent.name}/{array.name}"
    array.unlink()
    with pytest.raises(DamagedStoreError, match="is not there, and a record names it"):
        plan_merge([light.root], tmp_path / "new")
    (light.root / "left-out.txt").write_text(f"{name}\n")

    merge(plan_merge([light.root], tmp_path / "new"))
    assert (tmp_path / "new" / "left-out.txt").read_text() == f"{name}\n"
    merge(plan_merge([light.root, store.root], tmp_path / "whole"))
    assert (tmp_path / "whole" / name).is_file()
    assert not (tmp_path / "whole" / "left-out.txt").exists()


def test_the_command_shows_first_and_writes_then(
    sites: tuple[Path, Path], store: Store, tmp_path: Path
) -> None:
    into = str(tmp_path / "all")
    words = ["merge", *map(str, sites), "--into", into]
    shown = CliRunner().invoke(main, [*words, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    number = len(files(store.root)) - 1
    assert f"{number} files would be added" in shown.stdout
    assert not Path(into).exists()
    done = CliRunner().invoke(main, words)
    assert f"{number} files added" in done.stdout
    assert done.stdout.endswith("0 there already; 2 cells in all\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["one", "one", "--into", "all"], "is named twice"),
        (["one", "--into", "one"], "is named twice"),
        (["nowhere", "--into", "all"], "store nowhere: no such store"),
    ],
)
def test_wrong_stores_are_one_line(
    sites: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    del sites
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["merge", *words])
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "all").exists()
