"""Lost nodes and interruptions as a campaign treats them, whatever its launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from hashbench.core.record import Cause, FitRecord, Status
from hashbench.run.campaign import Campaign, Ended, Lost, Rules, Said, Task, Update
from hashbench.run.end_record import End
from hashbench.run.event_file import STARTED
from hashbench.run.options import RunOptions
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

Outcome = Callable[[Task], Update]


class Scripted:
    """A launcher whose attempts end one after another as a script says."""

    def __init__(self, rules: Rules, *script: Outcome) -> None:
        self.rules = rules
        self.script = list(script)
        self.running: list[Task] = []
        self.submitted = 0
        self.cancelled: list[bool] = []

    def submit(self, tasks: Sequence[Task]) -> list[Task]:
        self.running += tasks
        self.submitted += len(tasks)
        return list(tasks)

    def poll(self) -> Iterator[Update]:
        while self.running:
            task = self.running.pop(0)
            yield Said(task, {"event": STARTED})
            yield self.script.pop(0)(task)

    def cancel(self, *, interrupted: bool) -> None:
        self.cancelled.append(interrupted)


@pytest.fixture
def run(planned: Callable[[], Planned], store: Store, heard: Any) -> Callable[..., CellResults]:
    """Return what runs one cell through a scripted launcher."""

    def once(launcher: Scripted, observer: Any = None) -> CellResults:
        told = observer or heard()
        campaign = Campaign([planned()], store, launcher, observer=told, options=RunOptions())
        (found,) = campaign.run()
        return found

    return once


@pytest.fixture
def fitted(store: Store, fit_record: FitRecord) -> Outcome:
    """Return an attempt that leaves a good fit."""

    def end(task: Task) -> Update:
        store.write_record(fit_record)
        return Ended(task, read_cell(store, task.fit_id))

    return end


def lost(task: Task) -> Update:
    return Lost(task, End(Status.KILLED, Cause(type="killed", message="its node was lost")))


def statuses(store: Store, found: CellResults) -> list[Status]:
    return [record.status for record in store.records(found.fit_id)]


def test_a_few_lost_nodes_are_no_fault_of_the_cell_and_leave_no_record(
    run: Callable[..., CellResults], store: Store, heard: Any, fitted: Outcome
) -> None:
    launcher, observer = Scripted(Rules(nodes_to_lose=2), lost, lost, fitted), heard()

    found = run(launcher, observer)

    assert statuses(store, found) == [Status.OK]
    assert launcher.submitted == 3
    assert len(observer.put_offs) == 2
    assert all(why.startswith("its node was lost") for why in observer.put_offs)


def test_a_cell_that_loses_too_many_nodes_is_recorded_as_killed(
    run: Callable[..., CellResults], store: Store, heard: Any
) -> None:
    observer = heard()

    found = run(Scripted(Rules(nodes_to_lose=2), lost, lost, lost), observer)

    assert statuses(store, found) == [Status.KILLED]
    assert len(observer.results) == 1


def test_a_lost_cell_is_recorded_each_time_and_tried_again_as_often_as_allowed(
    run: Callable[..., CellResults], store: Store, heard: Any
) -> None:
    recorded: list[int] = []

    def lost_job(task: Task) -> Update:
        end = End(Status.KILLED, Cause(type="killed", message="Slurm job 7: its node failed"))
        return Lost(task, end, recorded=lambda: recorded.append(len(statuses_now())))

    def statuses_now() -> list[Any]:
        return [record for fit_id in store.fit_ids() for record in store.records(fit_id)]

    observer = heard()
    found = run(Scripted(Rules(retries_of_lost={Status.KILLED: 1}), lost_job, lost_job), observer)

    assert statuses(store, found) == [Status.KILLED] * 2
    assert recorded == [1, 2]  # called once the record was there
    assert observer.put_offs == ["Slurm job 7: its node failed: tried again (1 of 1)"]


def test_a_launcher_learns_whether_the_user_ended_the_campaign(
    run: Callable[..., CellResults], heard: Any
) -> None:
    def event(task: Task) -> Update:
        return Said(task, {"event": "phase", "phase": "fit"})

    def broken(task: Task) -> Update:
        raise RuntimeError("broken")

    interrupted, failed = Scripted(Rules(), event), Scripted(Rules(), broken)
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, heard(interrupt_at="phase"))
    with pytest.raises(RuntimeError):
        run(failed)

    assert (interrupted.cancelled, failed.cancelled) == ([True], [False])
