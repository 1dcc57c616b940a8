"""What the index says of cells is what their records say, whatever becomes of the index."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from store_speed import make_store

from hashbench.cli import main
from hashbench.core.cell import Cell
from hashbench.core.errors import DamagedStoreError
from hashbench.core.record import Cause, EvaluationRecord, FitRecord, Status
from hashbench.store import index
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.index import Outcome, index_file, read_outcomes
from hashbench.store.store import Store

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def every_store_is_worth_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MIN_CELLS", 1)


@pytest.fixture
def store(
    tmp_path: Path, fit_record: FitRecord, evaluation_record: EvaluationRecord, cell: Cell
) -> Store:
    """Three cells: done, done with an evaluation that failed, failed."""
    found = Store.create(tmp_path / "store")
    why = Cause(type="E", message="no room\nat all")
    for seed, fit_ended, measured in ((1, "ok", "ok"), (2, "ok", "oom"), (3, "diverged", None)):
        this = replace(cell, seed=seed)
        about = {"fit_id": this.fit_id}
        ended = {"status": Status(fit_ended), "error": None if fit_ended == "ok" else why}
        fit = found.write_record(fit_record.model_copy(update={**about, "cell": this, **ended}))
        if measured:
            ended = {"status": Status(measured), "error": None if measured == "ok" else why}
            update = {**about, "fit_record": fit.record_id, **ended}
            found.write_record(evaluation_record.model_copy(update=update))
    return found


def told(cell: Cell) -> dict[int, tuple[str, bool, tuple[str, ...]]]:
    """What there is to say of the three cells, by seed."""
    return {
        1: (str(replace(cell, seed=1)), True, ()),
        2: (str(replace(cell, seed=2)), True, ("evaluation oom: no room\nat all",)),
        3: (str(replace(cell, seed=3)), False, ("fit diverged: no room\nat all",)),
    }


def expected(cell: Cell) -> list[Outcome]:
    found = [Outcome(replace(cell, seed=seed).fit_id, *what) for seed, what in told(cell).items()]
    return sorted(found, key=lambda outcome: outcome.fit_id)


class Reader:
    """Reads cells and remembers which."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, store: Store, fit_id: str) -> CellResults:
        self.read.append(fit_id)
        return read_cell(store, fit_id)


def look(store: Store) -> tuple[list[Outcome], list[str]]:
    """The outcomes, and the cells whose records were read for them."""
    reader = Reader()
    return read_outcomes(store, read=reader), reader.read


def settle(store: Store) -> None:
    """Have an index that was written long after the records."""
    read_outcomes(store)
    later = index_file(store).stat().st_mtime + LONG_AGO
    os.utime(index_file(store), (later, later))


def test_the_first_look_reads_every_cell_and_later_ones_none(store: Store, cell: Cell) -> None:
    found, read = look(store)
    assert found == expected(cell)
    assert read == [outcome.fit_id for outcome in found]
    settle(store)
    assert look(store) == (expected(cell), [])


def test_without_its_index_a_store_says_the_same(store: Store, cell: Cell) -> None:
    settle(store)
    index_file(store).unlink()
    found, read = look(store)
    assert (found, len(read)) == (expected(cell), 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"done", b"").replace(b"no room", b"no luck"),
        lambda data: b"hashbench-index 2" + data[17:],
        lambda data: b"\xff\x00" * 1000,
        lambda data: b"[" * 100_000,
    ],
)
def test_a_damaged_index_is_made_anew(
    store: Store, cell: Cell, damage: Callable[[bytes], bytes]
) -> None:
    settle(store)
    index_file(store).write_bytes(damage(index_file(store).read_bytes()))
    found, read = look(store)
    assert (found, len(read)) == (expected(cell), 3)
    settle(store)
    assert look(store) == (expected(cell), [])


def test_a_new_record_has_its_cell_read_again_and_no_other(
    store: Store, cell: Cell, fit_record: FitRecord
) -> None:
    settle(store)
    third = replace(cell, seed=3)
    later = {"cell": third, "fit_id": third.fit_id, "finished": "2026-01-02T00:00:00.000000+00:00"}
    store.write_record(fit_record.model_copy(update=later))
    found, read = look(store)
    assert read == [third.fit_id]
    assert Outcome(third.fit_id, str(third), fitted=True) in found


def test_an_edited_record_is_seen_though_its_name_size_and_time_stay(
    store: Store, cell: Cell
) -> None:
    settle(store)
    (record,) = (store.root / replace(cell, seed=3).fit_id).glob("fit-*.json")
    before = record.stat()
    record.write_bytes(record.read_bytes().replace(b"no room", b"no luck"))
    os.utime(record, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedStoreError, match="changed after it was written"):
        read_outcomes(store)


def test_a_cell_that_is_moved_out_is_told_no_more(store: Store, cell: Cell) -> None:
    settle(store)
    second = replace(cell, seed=2).fit_id
    (store.root / second).rename(store.root.parent / second)
    found, read = look(store)
    assert (found, read) == ([each for each in expected(cell) if each.fit_id != second], [])


def test_records_no_older_than_the_index_are_read_again(store: Store) -> None:
    read_outcomes(store)
    early = index_file(store).stat().st_mtime - 1
    os.utime(index_file(store), (early, early))
    assert len(look(store)[1]) == 3


def test_a_cell_without_a_fit_has_nothing_to_tell_and_is_remembered(
    tmp_path: Path, evaluation_record: EvaluationRecord
) -> None:
    store = Store.create(tmp_path / "store")
    store.write_record(evaluation_record)
    settle(store)
    assert look(store) == ([Outcome(evaluation_record.fit_id, None)], [])


def test_a_store_where_the_index_cannot_be_written_says_the_same(store: Store, cell: Cell) -> None:
    (store.root / ".work").write_text("in the way")
    assert look(store)[0] == look(store)[0] == expected(cell)


def test_a_small_store_gets_no_index(
    store: Store, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MIN_CELLS", 4)
    assert read_outcomes(store) == expected(cell)
    assert not index_file(store).exists()
    monkeypatch.setattr(index, "MIN_CELLS", 3)
    read_outcomes(store)
    assert index_file(store).exists()


def test_what_is_no_record_is_not_looked_at(store: Store, cell: Cell) -> None:
    folder = store.root / replace(cell, seed=1).fit_id
    for name in (".tmp-1-fit-0.json", "notes.json", "codes-0.safetensors"):
        (folder / name).write_text("{")
    (store.root / ".hidden-1").mkdir()
    (store.root / ".hidden-1" / "fit-0.json").write_text("{")
    assert read_outcomes(store) == expected(cell)


def test_the_synthetic_store_of_the_measurement_is_a_real_one(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 6)
    found = read_outcomes(store)
    assert [outcome.fit_id for outcome in found] == store.fit_ids()
    assert [outcome.fitted for outcome in found] == [True] * 3
    assert all(len(list(store.records(outcome.fit_id))) == 2 for outcome in found)


def test_status_says_the_same_with_an_index_and_without(store: Store, cell: Cell) -> None:
    def status() -> str:
        result = CliRunner().invoke(main, ["status", "--store", str(store.root)])
        assert result.exit_code == 0
        return result.stdout

    first = status()
    settle(store)
    assert status() == first
    index_file(store).unlink()
    assert status() == first
    assert first.splitlines()[-1] == "2 done, 1 failed"
    assert "no room" in first
    assert str(replace(cell, seed=1)) in first
