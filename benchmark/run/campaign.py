"""One campaign over the cells of a run: order, retries, counts, reports, records of lost cells.

A launcher starts attempts on cells and reports what becomes of them: on this machine, as Slurm
jobs, or on the nodes of a Ray cluster. Everything else is the same everywhere and is done here.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hashbench.core.job import Job
from hashbench.core.record import Status
from hashbench.run.end_record import End, record_lost
from hashbench.run.event_file import FINISHED, PUT_OFF, STARTED
from hashbench.run.options import Observer, RunOptions
from hashbench.run.plan import Planned, plan_rest
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Watch
from hashbench.store.store import Store


@dataclass(slots=True, eq=False)
class Task:
    """A cell on its way through a campaign.

    Attributes:
        item: The cell, and what was missing of it when it was last planned.
        index: Its position in the campaign.
        alone: Whether nothing else may run beside it.
        splits: Whether its latency is measured by an attempt of its own, alone.
        tries: Retries so far, by the status that led to them.
        losses: How often its node was lost.
        begun: Whether a worker was ever started on it.
        since: When the running worker was started, on the monotonic clock.
        seconds: Seconds that ended workers took.
        phase: What its worker reported last that it was doing.
    """

    item: Planned
    index: int
    alone: bool = False
    splits: bool = False
    tries: Counter[Status] = field(default_factory=Counter)
    losses: int = 0
    begun: bool = False
    since: float | None = None
    seconds: float = 0.0
    phase: str = ""

    @property
    def fit_id(self) -> str:
        """The id of the cell."""
        return self.item.cell.fit_id

    @property
    def part(self) -> Job:
        """The job of the next attempt: everything missing, or everything but the latency."""
        job = self.item.job
        together = self.alone or not self.splits or _only_latency(job)
        return job if together else replace(job, latency=())


@dataclass(frozen=True, slots=True)
class Said:
    """An event of a worker or of the node it runs on."""

    task: Task
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over, or there was nothing left to do; the store has these results."""

    task: Task
    found: CellResults


@dataclass(frozen=True, slots=True)
class Returned:
    """Another run took the cell over; it has to be submitted again."""

    task: Task


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt ended with its machine, without a record.

    Attributes:
        task: The cell.
        end: What its record shall say.
        started: When the attempt began, as records state it; "" where that is not known.
        recorded: Called once the record is written.
    """

    task: Task
    end: End
    started: str = ""
    recorded: Callable[[], None] | None = None


Update = Said | Ended | Returned | Lost


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by which a campaign treats the attempts of a launcher.

    Attributes:
        separate_latency: Whether attempts run beside each other, so that latency is measured
            afterwards, alone.
        retries: How often a cell is tried again, by the status its attempt ended with. On a
            cluster the node does this.
        retries_of_lost: How often a lost cell is tried again, by the status on record; each loss
            is recorded.
        nodes_to_lose: Nodes that a cell may lose before it is taken to be the reason and the loss
            is recorded.
    """

    separate_latency: bool = False
    retries: Mapping[Status, int] = field(default_factory=dict)
    retries_of_lost: Mapping[Status, int] = field(default_factory=dict)
    nodes_to_lose: int = 0


class Launcher(Protocol):
    """Starts attempts on cells, and reports what becomes of them."""

    @property
    def rules(self) -> Rules:
        """The rules for its attempts."""
        ...

    def submit(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Start an attempt on each task for which there is room; return those it took."""
        ...

    def poll(self) -> Iterable[Update]:
        """Wait a moment, then report what has happened since."""
        ...

    def cancel(self, *, interrupted: bool) -> None:
        """End what runs, because the campaign ends early.

        Args:
            interrupted: Whether the user wants that; the cells are then recorded as interrupted.
        """
        ...


class Campaign:
    """Runs cells through a launcher until each is done or has failed.

    The longest cells start first. Those that only measure latency come last where attempts run
    beside each other.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        store: Store,
        launcher: Launcher,
        *,
        observer: Observer,
        options: RunOptions,
    ) -> None:
        self._store, self._launcher = store, launcher
        self._observer, self._options = observer, options
        splits = launcher.rules.separate_latency
        self._waiting = [
            Task(item, index, alone=splits and _only_latency(item.job), splits=splits)
            for index, item in enumerate(planned)
        ]
        unknown = math.inf  # may be the longest, so it starts first
        self._waiting.sort(key=lambda t: (t.alone, -options.seconds.get(t.fit_id, unknown)))
        self._lost: list[Lost] = []
        self._results: dict[int, CellResults] = {}
        self._begun: set[Task] = set()
        self._total = len(planned)
        self._watch = Watch()

    def run(self) -> list[CellResults]:
        """Run all cells; return what the store has of each afterwards, in the order given.

        Raises:
            StoreError: If the store cannot be written any more.
            KeyboardInterrupt: On Ctrl-C, after the launcher was told.
        """
        try:
            while len(self._results) < self._total:
                self._submit()
                for update in self._launcher.poll():
                    self._take(update)
                self._record_losses()
        except BaseException as error:
            self._launcher.cancel(interrupted=isinstance(error, KeyboardInterrupt))
            raise
        return [self._results[index] for index in range(self._total)]

    def _submit(self) -> None:
        if self._waiting:
            taken = set(self._launcher.submit(self._waiting))
            self._waiting = [task for task in self._waiting if task not in taken]

    def _take(self, update: Update) -> None:
        match update:
            case Said(task, event):
                self._report(task, event)
            case Ended(task, found):
                self._next(task, found)
            case Returned(task):
                task.since = None  # what its worker did counts for the other run
                self._waiting.append(task)
            case Lost():
                self._lose(update)

    def _report(self, task: Task, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == STARTED:
            task.begun, task.since = True, time.monotonic()
            self._begun.add(task)
            self._observer.started(task.item, len(self._begun), self._total)
        elif kind == PUT_OFF:
            self._observer.put_off(task.item, str(event.get("why", "")))
        elif kind == FINISHED:
            task.seconds += float(event.get("seconds", 0.0))
            task.since = None
        else:
            task.phase = event.get("phase", task.phase)
            self._observer.heard(dict(event))

    def _next(self, task: Task, found: CellResults) -> None:
        """Try a cell again, measure its latency, or be done with it."""
        status = _status(found, task.item.results)
        if not task.item.state.wanted:  # another run did it
            self._finish(task, found)
        elif self._may_retry(task, status, self._launcher.rules.retries):
            # Memory that ran out beside others may suffice for one alone.
            task.alone = task.alone or (status is Status.OOM and task.splits)
            self._retry(task, status, status, self._launcher.rules.retries)
        elif found.fitted and task.part.latency != task.item.job.latency:
            task.alone = True
            left = replace(task.item.job, fit=False, metrics=())
            task.item = replace(task.item, results=found, job=left)
            self._put_back(task, "its latency is measured later, alone")
        else:
            self._finish(task, found)

    def _lose(self, lost: Lost) -> None:
        """Submit a cell again whose node was lost, or see that its end is on record."""
        task = lost.task
        task.losses += 1
        _stop_clock(task)
        if task.losses > self._launcher.rules.nodes_to_lose:
            self._lost.append(lost)
            return
        self._waiting.append(task)
        why = f"{lost.end.cause.message}; another node continues it from its last epoch"
        self._observer.put_off(task.item, why)

    def _record_losses(self) -> None:
        """Record lost cells as soon as nobody holds their leases any more."""
        for lost in list(self._lost):
            task, end = lost.task, lost.end
            if not record_lost(
                replace(task.item, job=task.part),
                self._store,
                end,
                watch=self._watch,
                period=self._options.lease_period,
                started=lost.started,
                phase=task.phase,
            ):
                continue
            self._lost.remove(lost)
            if lost.recorded is not None:
                lost.recorded()
            found, limits = read_cell(self._store, task.fit_id), self._launcher.rules
            status = _status(found, task.item.results)
            if status is end.status and self._may_retry(task, status, limits.retries_of_lost):
                self._retry(task, status, end.cause.message, limits.retries_of_lost)
            else:
                self._finish(task, found)

    def _may_retry(self, task: Task, status: Status, limits: Mapping[Status, int]) -> bool:
        return task.tries[status] < limits.get(status, 0)

    def _retry(self, task: Task, status: Status, why: str, limits: Mapping[Status, int]) -> None:
        task.tries[status] += 1
        count = f"{task.tries[status]} of {limits[status]}"
        self._put_back(task, f"{why}: tried again ({count})")

    def _put_back(self, task: Task, why: str) -> None:
        """Submit a cell again, for what is now missing of it."""
        results = read_cell(self._store, task.fit_id)
        task.item = plan_rest(replace(task.item, results=results), self._store)
        self._waiting.append(task)
        self._observer.put_off(task.item, why)

    def _finish(self, task: Task, found: CellResults) -> None:
        self._begun.add(task)
        _stop_clock(task)
        self._results[task.index] = found
        self._observer.finished(task.item, found, task.seconds)


def _stop_clock(task: Task) -> None:
    """Count the time of a worker that did not report how long it took."""
    if task.since is not None:
        task.seconds += time.monotonic() - task.since
        task.since = None


def _only_latency(job: Job) -> bool:
    return not (job.fit or job.metrics)


def _status(found: CellResults, before: CellResults) -> Status:
    """Return how an attempt ended: the status of the newest record it left."""
    if found.failures and found.failures != before.failures:
        return found.failures[-1].status
    return found.fit.status if found.fit else Status.FAILED
