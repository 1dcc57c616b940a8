"""What ``run --dry-run``, ``status`` and ``logs`` say, without running anything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from hashbench.cli.loading import load
from hashbench.core.cell import Cell
from hashbench.core.record import Artifact, Cause, FitRecord, Status
from hashbench.store.lease import take
from hashbench.store.store import Store

MATRIX = """
version: 1
name: tiny
datasets: [{name: digits, subset: {train: 50, query: 10, database: 100}}]
methods: {pairs: [{method: lsh}]}
bits: [8]
seeds: [0, 1]
execute: {device: cpu, threads: 1}
"""

Call = Callable[..., Result]


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    """Return a matrix of two cells."""
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX)
    return file


@pytest.fixture
def cells(matrix: Path) -> tuple[Cell, ...]:
    """Return the cells of the matrix."""
    return load(matrix).cells


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.create(tmp_path / "store")


@pytest.fixture
def fitted(store: Store, fit_record: FitRecord) -> Callable[..., FitRecord]:
    """Return what stores a fit of 80 seconds and 4 kB."""

    def put(cell: Cell, status: Status = Status.OK) -> FitRecord:
        about = {
            "cell": cell,
            "fit_id": cell.fit_id,
            "status": status,
            "sources": {},
            "phases": {"fit": 80.0},
            "artifacts": {"codes": Artifact(file="codes-0", sha256="e" * 64, bytes=4000)},
            "error": None if status is Status.OK else Cause(type="E", message="why", traceback="t"),
        }
        return store.write_record(fit_record.model_copy(update=about))

    return put


def test_a_dry_run_shows_states_costs_and_where_they_come_from_and_writes_nothing(
    call: Call, matrix: Path, store: Store, cells: tuple[Cell, ...], fitted: Callable[..., object]
) -> None:
    fitted(replace(cells[0], seed=7))
    before = sorted(store.root.rglob("*"))

    said = call("run", matrix, "--store", store.root, "--dry-run").stdout

    assert f"missing         {cells[0].fit_id}  {cells[0]}  about 1.3 min" in said
    assert "estimate: about 2.7 min, one cell at a time; 8.0 kB in the store" in said
    assert "2 of 2: from 1 record of like cells (other seeds, cpu)" in said
    assert sorted(store.root.rglob("*")) == before


def test_a_dry_run_without_like_records_says_so(call: Call, matrix: Path, tmp_path: Path) -> None:
    said = call("run", matrix, "--store", tmp_path / "none", "--dry-run", "--slots", "2").stdout
    assert "estimate: time and disk unknown" in said
    assert "2 of 2: unknown, no record of a like cell in the store" in said
    assert not (tmp_path / "none").exists()


def test_a_dry_run_as_json_has_an_object_for_each_cell(
    call: Call, matrix: Path, store: Store, cells: tuple[Cell, ...]
) -> None:
    said = call("run", matrix, "--store", store.root, "--dry-run", "--json-events").stdout
    plan, *each = [json.loads(line) for line in said.splitlines()]
    assert (plan["event"], plan["cells"], plan["states"]) == ("plan", 2, {"missing": 2})
    assert [(event["cell"], event["state"]) for event in each] == [
        (cell.fit_id, "missing") for cell in cells
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--slots", "0"), "'auto' or a whole number above 0, got '0'"),
        (("--slots", "many"), "'auto' or a whole number above 0, got 'many'"),
        (("--timeout", "soon"), "should be seconds, or a number with s, m or h, got 'soon'"),
        (("--timeout", "0"), "should be above 0"),
        (("--lease", "0.5"), "--lease 0.5: give at least 1 s"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(
    call: Call, matrix: Path, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    result = call("run", matrix, "--store", tmp_path / "none", *words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not (tmp_path / "none").exists()


def test_status_says_who_works_on_a_cell_and_how_far_it_is(
    call: Call, matrix: Path, store: Store, cells: tuple[Cell, ...]
) -> None:
    take(store.lease_folder(cells[0].fit_id), above=0)
    work = store.work_folder(cells[0].fit_id)
    work.mkdir(parents=True)
    for epoch in (3, 12):
        (work / f"epoch-{epoch:06d}.pt").touch()

    lines = call("status", matrix, "--store", store.root).stdout.splitlines()

    assert lines[0].startswith(f"running         {cells[0].fit_id}")
    assert lines[1].strip().startswith(f"process {os.getpid()} on ")
    assert lines[1].endswith(" after epoch 12")
    assert lines[-1] == "1 running, 1 missing"


def test_status_knows_that_a_run_of_this_machine_is_gone(
    call: Call, matrix: Path, store: Store, cells: tuple[Cell, ...]
) -> None:
    ended = os.fork()
    if ended == 0:
        take(store.lease_folder(cells[0].fit_id), above=0, period=9.0)
        os._exit(0)
    os.waitpid(ended, 0)

    said = call("status", matrix, "--store", store.root).stdout

    assert f"process {ended} on " in said
    assert "had it and is gone; the next run waits 9 s and goes on" in said
    assert said.splitlines()[-1] == "2 missing"


def test_watching_ends_when_no_cell_is_left(
    call: Call,
    matrix: Path,
    store: Store,
    fitted: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps, cells = [], load(matrix).cells

    def nap(seconds: float) -> None:
        naps.append(seconds)
        fitted(cells[len(naps) - 1], Status.FAILED)

    monkeypatch.setattr("hashbench.cli.status.time.sleep", nap)
    said = call("status", matrix, "--store", store.root, "--watch", "--every", "5").stdout

    assert naps == [5.0, 5.0]
    states = [line for line in said.splitlines() if line.split()[0].isdigit()]
    assert states == ["2 missing", "1 failed, 1 missing", "2 failed"]


def test_logs_show_records_causes_epochs_and_what_was_printed(
    call: Call, store: Store, cells: tuple[Cell, ...], fitted: Callable[..., FitRecord]
) -> None:
    failed, good = fitted(cells[0], Status.FAILED), fitted(cells[0])
    log = store.log_file(cells[0].fit_id)
    log.parent.mkdir()
    log.write_text("a warning\n")

    said = call("logs", cells[0].fit_id[:6], "--store", store.root).stdout

    assert said.startswith(f"{cells[0].fit_id}  {cells[0]}\n")
    assert f"fit-{failed.record_id}  failed\n  E: why\n  | t\n" in said
    assert f"fit-{good.record_id}  ok\n" in said
    assert "epoch 1: total 0.3\n" in said
    assert said.endswith("printed by its last worker:\na warning\n\n")


def test_logs_of_an_unknown_cell_are_refused(call: Call, store: Store) -> None:
    result = call("logs", "abc", "--store", store.root)
    assert result.exit_code == 2
    assert "cell 'abc': no id in" in result.stderr


def test_logs_of_several_cells_are_refused_with_their_ids(
    call: Call, store: Store, cells: tuple[Cell, ...], fitted: Callable[..., object]
) -> None:
    for cell in cells:
        fitted(cell)
    result = call("logs", "", "--store", store.root)
    assert result.exit_code == 2
    assert all(cell.fit_id in result.stderr for cell in cells)
