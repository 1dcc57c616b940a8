"""`verify` finds records and a store.json that are missing or are no regular files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.audit.findings import Subject
from hashbench.audit.verify import verify_store
from hashbench.store.store import FORMAT, MARKER, Store

Only = Callable[[Store, str], Path]

IRREGULAR = {
    "a symbolic link": lambda path: path.symlink_to("/dev/zero"),  # out of the store
    "a directory": Path.mkdir,
    "a named pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_a_record_whose_place_is_taken_by_something_else_is_found(
    store: Store, only: Only, kind: str
) -> None:
    path = only(store, "evaluation-*.json")
    path.unlink()
    IRREGULAR[kind](path)
    (problem,) = verify_store(store.root).problems
    assert problem.file == f"{path.parent.name}/{path.name}"
    assert problem.what == (
        f"is {kind}, not a regular file; move {path.name} out of the store and run the matrix again"
    )


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_a_marker_whose_place_is_taken_by_something_else_is_found(store: Store, kind: str) -> None:
    (store.root / MARKER).unlink()
    IRREGULAR[kind](store.root / MARKER)
    (problem,) = verify_store(store.root).problems
    assert problem.file == MARKER
    assert problem.what == (
        f"is {kind}, not a regular file; replace it by a file with the content {json.dumps(FORMAT)}"
    )


def test_a_marker_that_was_removed_is_found_and_the_records_are_checked(store: Store) -> None:
    (store.root / MARKER).unlink()
    audit = verify_store(store.root)
    (problem,) = audit.problems
    assert problem.file == MARKER
    assert problem.what == f"is missing; write a file with the content {json.dumps(FORMAT)}"
    assert audit.checked[Subject.RECORDS] == 5


@pytest.mark.parametrize(
    ("record", "array"),
    [("evaluation-*.json", "per-query-*"), ("latency-*.json", "distances-*")],
)
def test_a_measurement_that_is_gone_while_its_arrays_stay_is_found(
    store: Store, only: Only, record: str, array: str
) -> None:
    path, left = only(store, record), only(store, array)
    path.unlink()
    (problem,) = verify_store(store.root).problems
    assert problem.file == f"{left.parent.name}/{left.name}"
    assert "no record names it" in problem.what
    assert "put the record back" in problem.what


def test_arrays_of_a_cell_that_has_not_finished_are_no_problem(store: Store, only: Only) -> None:
    path = only(store, "evaluation-*.json")
    path.unlink()
    work = store.work_folder(path.parent.name)
    work.mkdir(parents=True)
    (work / "log.txt").write_text("")
    assert verify_store(store.root).problems == []
