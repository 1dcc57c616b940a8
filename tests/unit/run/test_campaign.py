"""What runs beside what, what is tried again, and what is left to another run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hashbench.core.cell import Cell
from hashbench.core.job import Job, LatencySetting
from hashbench.core.record import Cause, FitRecord, LatencyRecord, Record, Status, seal
from hashbench.run.launchers.local import run_cells
from hashbench.run.options import RunOptions, Slot
from hashbench.run.plan import Planned, State
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Lease, look, take
from hashbench.store.store import Store, record_name

Put = Callable[[str], None]
TWO = (Slot(0), Slot(1))
LATENCY = (LatencySetting("exact", 1, 1, 1),)
# A script in the worker's place: what it shall leave lies, in order, in a folder of its cell.
LEAVE = """
work = os.path.dirname(job)
store, fit_id = os.path.dirname(os.path.dirname(work)), os.path.basename(work)
def note(word):
    with open(os.path.join(store, "..", "notes.txt"), "a") as file:
        file.write(fit_id + " " + word + "\\n")
def leave():
    todo = os.path.join(store, "..", "todo", fit_id)
    number = min(os.listdir(todo))
    os.makedirs(os.path.join(store, fit_id), exist_ok=True)
    name = number.partition("=")[2]
    os.replace(os.path.join(todo, number), os.path.join(store, fit_id, name))
"""


@dataclass(frozen=True)
class Place:
    """A store, and what workers shall leave in it."""

    store: Store
    worker: Put
    heard: Any
    template: FitRecord

    def prepare(self, fit_id: str, *records: Record) -> None:
        """Lay ready the records that a cell's workers leave one after another."""
        folder = self.store.root.parent / "todo" / fit_id
        folder.mkdir(parents=True)
        for number, record in enumerate(records):
            text = json.dumps(record.model_dump(mode="json"))
            (folder / f"{number}={record_name(record)}").write_text(text)

    def plan(self, cell: Cell, latency: tuple[LatencySetting, ...] = ()) -> Planned:
        """Plan a cell by what the store has of it now."""
        results = read_cell(self.store, cell.fit_id)
        wanted = () if results.latencies else latency
        job = Job(cell, self.store.root, fit=not results.fitted, latency=wanted)
        return Planned(cell, State.DONE if job.empty else State.MISSING, results, job)

    def fit(self, cell: Cell, status: Status = Status.OK, second: int = 0) -> FitRecord:
        """Make a cell's sealed fit record."""
        about: dict[str, Any] = {
            "cell": cell,
            "fit_id": cell.fit_id,
            "status": status,
            "finished": f"2026-01-01T00:01:{second:02d}.000000+00:00",
            "error": None if status is Status.OK else Cause(type="x", message="too little"),
        }
        return seal(self.template.model_copy(update=about))

    def run(
        self, items: list[Planned], observer: Any = None, **options: Any
    ) -> dict[str, CellResults]:
        """Run planned cells; what the store has of each afterwards."""
        chosen = RunOptions(**{"timeout": 30, **options})
        found = run_cells(items, self.store, observer=observer or self.heard(), options=chosen)
        return {results.fit_id: results for results in found}

    def notes(self) -> list[list[str]]:
        """Return what the workers noted, in order."""
        file = self.store.root.parent / "notes.txt"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def place(store: Store, worker: Put, heard: Any, fit_record: FitRecord) -> Place:
    """Return an empty store with a stand-in for the worker."""
    return Place(store, worker, heard, fit_record)


@pytest.fixture
def cells(cell: Cell) -> list[Cell]:
    """Return three cells."""
    return [replace(cell, seed=seed) for seed in (1, 2, 3)]


def test_two_slots_hold_two_cells_at_the_same_time(place: Place, cells: list[Cell]) -> None:
    for each in cells[:2]:
        place.prepare(each.fit_id, place.fit(each))
    # Each waits for the other: one after the other they would both be killed by the timeout.
    place.worker(
        LEAVE + "note('here')\n"
        "while len(set(open(os.path.join(store, '..', 'notes.txt')).readlines())) < 2:\n"
        "    time.sleep(0.01)\n"
        "leave()"
    )

    found = place.run([place.plan(each) for each in cells[:2]], slots=TWO)

    assert [results.fitted for results in found.values()] == [True, True]


def test_the_longest_starts_first_and_what_is_unknown_before_it(
    place: Place, cells: list[Cell]
) -> None:
    place.worker(LEAVE + "note('ran')")
    short, unknown, long = (each.fit_id for each in cells)

    place.run([place.plan(each) for each in cells], seconds={short: 1.0, long: 9.0})

    assert [words[0] for words in place.notes()] == [unknown, long, short]


def test_latency_is_measured_alone_after_what_runs_beside_each_other(
    place: Place, cells: list[Cell], latency_record: LatencyRecord
) -> None:
    for each in cells[:2]:
        made = place.fit(each)
        of_it = {"fit_id": each.fit_id, "fit_record": made.record_id, "status": Status.OK}
        place.prepare(
            each.fit_id, made, seal(latency_record.model_copy(update={**of_it, "error": None}))
        )
    place.worker(
        LEAVE + "wanted = json.load(open(job))\n"
        "what = 'latency' if wanted['latency'] else 'fit'\n"
        "note('begin ' + what); time.sleep(0.05); leave(); note('end ' + what)"
    )

    found = place.run(
        [place.plan(each, LATENCY) for each in cells[:2]],
        slots=TWO,
    )

    assert all(len(results.latencies) == 1 for results in found.values())
    told = [words[1:] for words in place.notes()]
    assert sorted(told[:4]) == [["begin", "fit"]] * 2 + [["end", "fit"]] * 2
    assert told[4:] == [["begin", "latency"], ["end", "latency"]] * 2


def test_a_killed_cell_is_tried_again_as_often_as_allowed_and_each_try_is_on_record(
    place: Place, cell: Cell
) -> None:
    place.worker(LEAVE + "note('ran'); os.kill(os.getpid(), signal.SIGKILL)")
    observer = place.heard()

    place.run([place.plan(cell)], observer, retries={Status.KILLED: 2})

    statuses = [record.status for record in place.store.records(cell.fit_id)]
    assert statuses == [Status.KILLED] * 3
    assert len(place.notes()) == 3
    assert observer.put_offs == ["killed: tried again (1 of 2)", "killed: tried again (2 of 2)"]
    assert len(observer.results) == 1


def test_a_cell_that_failed_by_itself_is_not_tried_again(place: Place, cell: Cell) -> None:
    place.worker("sys.exit(1)")

    place.run([place.plan(cell)], retries={Status.KILLED: 2, Status.OOM: 2})

    assert [record.status for record in place.store.records(cell.fit_id)] == [Status.FAILED]


def test_what_ran_out_of_memory_beside_others_is_tried_again_alone(
    place: Place, cells: list[Cell]
) -> None:
    greedy, modest = cells[:2]
    place.prepare(greedy.fit_id, place.fit(greedy, Status.OOM), place.fit(greedy, second=1))
    place.prepare(modest.fit_id, place.fit(modest))
    place.worker(
        LEAVE + "note('begin')\n"
        f"if fit_id == '{modest.fit_id}':\n"
        "    notes = os.path.join(store, '..', 'notes.txt')\n"
        f"    while '{greedy.fit_id} end' not in open(notes).read():\n"
        "        time.sleep(0.01)\n"
        "    time.sleep(0.3)\n"
        "leave(); note('end')"
    )

    found = place.run([place.plan(greedy), place.plan(modest)], slots=TWO, retries={Status.OOM: 1})

    assert all(results.fitted for results in found.values())
    assert place.notes()[-3:] == [
        [modest.fit_id, "end"],
        [greedy.fit_id, "begin"],
        [greedy.fit_id, "end"],
    ]


def test_a_cell_that_another_run_holds_is_waited_for_and_not_done_twice(
    place: Place, cell: Cell
) -> None:
    place.worker(LEAVE + "note('ran')")
    item = place.plan(cell)
    theirs = take(place.store.lease_folder(cell.fit_id), above=0)
    assert theirs is not None
    observer = place.heard()

    def put_off(planned: Planned, why: str) -> None:
        place.store.write_record(place.fit(cell))  # the other run comes to its end
        theirs.release()

    observer.put_off = put_off
    found = place.run([item], observer)

    assert found[cell.fit_id].fitted
    assert place.notes() == []
    assert len(list(place.store.records(cell.fit_id))) == 1
    assert look(place.store.lease_folder(cell.fit_id)).free


def test_a_silent_lease_is_taken_over(place: Place, cell: Cell) -> None:
    take(place.store.lease_folder(cell.fit_id), above=0, period=0.3)  # and is never heard of again
    place.prepare(cell.fit_id, place.fit(cell))
    place.worker(LEAVE + "leave()")

    found = place.run([place.plan(cell)])

    assert found[cell.fit_id].fitted


def test_a_run_that_slept_through_a_takeover_ends_its_worker_and_leaves_no_record(
    place: Place, cell: Cell
) -> None:
    place.worker(LEAVE + "note('ran'); say(event='phase', phase='fit'); time.sleep(60)")
    folder, observer, taken = place.store.lease_folder(cell.fit_id), place.heard(), []

    def hear(event: Mapping[str, Any]) -> None:
        taken.append(take(folder, above=look(folder).number))

    def put_off(planned: Planned, why: str) -> None:
        place.store.write_record(place.fit(cell))
        lease: Lease = taken[0]
        lease.release()

    observer.heard, observer.put_off = hear, put_off
    found = place.run([place.plan(cell)], observer, lease_period=0.6)

    assert found[cell.fit_id].fitted
    assert len(place.notes()) == 1
    assert [record.status for record in place.store.records(cell.fit_id)] == [Status.OK]


def test_no_worker_can_read_the_job_of_one_that_has_the_cell_after_it(
    place: Place, cell: Cell
) -> None:
    place.worker(
        LEAVE + "note(os.path.basename(job) + ' ' + str(json.load(open(job))['lease']))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )

    place.run([place.plan(cell)], retries={Status.KILLED: 1})

    first, second = (words[1:] for words in place.notes())
    assert first[0] != second[0]
    assert first[1] != second[1]
    folder = place.store.work_folder(cell.fit_id)
    assert [path.name for path in folder.glob("job*")] == [second[0]]


def test_leases_are_given_back_however_the_run_ends(place: Place, cell: Cell) -> None:
    place.worker("say(event='phase', phase='fit'); time.sleep(60)")

    with pytest.raises(KeyboardInterrupt):
        place.run([place.plan(cell)], place.heard(interrupt_at="phase"))

    assert look(place.store.lease_folder(cell.fit_id)).free
    assert list((place.store.root / ".logs").iterdir()) == []
