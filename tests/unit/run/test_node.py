"""A cell on a node, whichever engine brought it there, and the record of one whose node is gone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.errors import StoreError
from hashbench.core.record import Cause, FitRecord, Status
from hashbench.run.end_record import End, record_lost
from hashbench.run.event_file import EventReader
from hashbench.run.node import Assignment, check_store, run_assignment
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import RunOptions
from hashbench.run.plan import Planned, State, plan_rest
from hashbench.store.catalogue import read_cell
from hashbench.store.lease import Watch, look, take
from hashbench.store.store import Store

KILLED = End(Status.KILLED, Cause(type="killed", message="its node was lost"))


@pytest.fixture
def assignment(store: Store, planned: Callable[[], Planned]) -> Assignment:
    """Return the cell as an engine hands it over, after the way that engines take."""
    folder = store.root / "run"
    folder.mkdir()
    options = RunOptions(lease_period=5.0)
    requirements = NodeRequirements.collect((), copies=folder)
    made = Assignment.of(
        planned(), options, events=folder / "cell.jsonl", requirements=requirements
    )
    again: Assignment = pickle.loads(pickle.dumps(made))
    return again


def test_the_record_of_a_worker_that_dies_there_is_written_there(
    assignment: Assignment, store: Store, worker: Callable[[str], None]
) -> None:
    worker("say(event='phase', phase='fit')\nos.kill(os.getpid(), signal.SIGKILL)")

    names = run_assignment(assignment)

    fit_id = assignment.item.cell.fit_id
    assert names == {path.name for path in (store.root / fit_id).glob("fit-*.json")}
    found = read_cell(store, fit_id).fit
    assert found is not None
    assert (found.status, "SIGKILL" in (found.error or KILLED.cause).message) == ("killed", True)
    events = [event["event"] for event in EventReader(assignment.events).new()]
    assert events == ["started", "phase", "finished"]
    assert look(store.lease_folder(fit_id)).free


def test_a_worker_sees_the_gpus_that_the_engine_gave_and_no_others(
    assignment: Assignment, worker: Callable[[str], None]
) -> None:
    seen = assignment.events.parent / "seen"
    worker(f"open({str(seen)!r}, 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])")
    run_assignment(assignment, gpu="")
    assert seen.read_text() == ""


def test_paths_do_not_depend_on_the_folder_a_run_was_started_in(
    store: Store, planned: Callable[[], Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.root.parent)
    item = planned()
    job = replace(item.job, data_root=Path("data"), plugins=(Path("mine.py"),))
    made = Assignment.of(
        replace(item, job=job),
        RunOptions(),
        events=Path("store/x.jsonl"),
        requirements=NodeRequirements(),
    )
    here = store.root.parent.resolve()
    assert made.item.job.data_root == here / "data"
    assert made.item.job.plugins == (here / "mine.py",)
    assert made.events == here / "store" / "x.jsonl"


def test_a_node_without_the_store_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^node .*: the store .*s of this run is not there; .*"):
        check_store(tmp_path / "s", seen_by=tmp_path / "s" / "run")


def test_what_another_run_did_meanwhile_is_not_left_to_do(
    planned: Callable[[], Planned], store: Store, fit_record: FitRecord
) -> None:
    item = planned()
    assert plan_rest(item, store).job == item.job
    store.write_record(fit_record)
    left = plan_rest(item, store)
    assert (left.state, left.job.fit, left.job.metrics) == (State.PARTIAL, False, ("map@all",))


def test_the_record_of_a_lost_cell_waits_until_its_lease_is_silent(
    planned: Callable[[], Planned], store: Store
) -> None:
    item, watch = planned(), Watch()
    folder = store.lease_folder(item.cell.fit_id)
    held = take(folder, above=0, period=1e-9)
    assert held is not None

    assert not record_lost(item, store, KILLED, watch=watch, period=5.0)
    assert read_cell(store, item.cell.fit_id).fit is None
    assert record_lost(item, store, KILLED, watch=watch, period=5.0)

    found = read_cell(store, item.cell.fit_id).fit
    assert found is not None
    assert (found.status, found.error) == ("killed", KILLED.cause)
    assert not held.held
    assert look(folder).free


def test_a_lost_cell_whose_records_came_gets_no_other(
    planned: Callable[[], Planned], store: Store, fit_record: FitRecord
) -> None:
    item = planned()
    item = replace(item, job=replace(item.job, metrics=()))
    store.write_record(fit_record)
    assert record_lost(item, store, KILLED, watch=Watch(), period=5.0)
    assert len(list(store.records(item.cell.fit_id))) == 1
