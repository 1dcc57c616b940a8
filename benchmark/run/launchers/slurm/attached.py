"""A run that watches its cells on a Slurm cluster: what ends, what is lost, what is tried again."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hashbench.core.record import Status
from hashbench.run.event_file import FINISHED, PUT_OFF, STARTED, EventReader
from hashbench.run.launchers.slurm.ledger import Handed, Ledger
from hashbench.run.launchers.slurm.losses import describe_loss
from hashbench.run.launchers.slurm.programs import SlurmError
from hashbench.run.launchers.slurm.queue import JobState, last_state, states
from hashbench.run.launchers.slurm.submission_lock import WANTED
from hashbench.run.lost_cell import record_lost
from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned
from hashbench.run.process import End
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Watch
from hashbench.store.store import Store

_LOOK_EVERY = 1.0  # seconds between two looks at the store
_ASK_EVERY = (3.0, 30.0)  # seconds between two questions to Slurm, at first and at last
_ASK_SLOWER = 0.05  # how much of the time that has passed they are apart
_SURE_AFTER = 6.0  # seconds for which a job must have ended before its cell counts as lost
_ARRIVAL = 90.0  # seconds until a record of a node is seen here, through a network's caches

_USUAL_REASONS = {"None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit"}

HandOver = Callable[[Sequence[Planned]], dict[str, Handed]]
"""Hands over as many cells as Slurm takes; those it does not take are missing in the answer."""


@dataclass(slots=True, eq=False)
class _Task:
    """A cell on its way.

    Attributes:
        item: The cell, as the run was given it.
        index: Its place in the run.
        handed: Its job; None while Slurm has not taken it.
        events: What its node writes.
        state: What Slurm said last.
        ended_since: Since when Slurm says that its job has ended.
        gone_since: Since when it is off the store's list.
        lost: What its record shall say, once nobody holds its lease any more.
    """

    item: Planned
    index: int
    handed: Handed | None = None
    events: EventReader | None = None
    state: JobState | None = None
    ended_since: float | None = None
    gone_since: float | None = None
    lost: End | None = None
    begun: bool = False
    began: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    phase: str = ""
    tries: Counter[Status] = field(default_factory=Counter)

    @property
    def fit_id(self) -> str:
        return self.item.cell.fit_id


class Attached:
    """Watches cells until each is done or has failed.

    Args:
        planned: The cells.
        store: Where records come from.
        observer: Hears of progress.
        means: Retries, and how long a lease is silent.
        hand_over: Hands over cells, and those that are tried again; None where they are cancelled.
        handed: Those that are with Slurm already.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        store: Store,
        *,
        observer: Observer,
        means: Means,
        hand_over: HandOver | None = None,
        handed: Mapping[str, Handed] | None = None,
    ) -> None:
        self._store, self._observer, self._means = store, observer, means
        self._ledger, self._hand_over = Ledger(store), hand_over
        tasks = [_Task(item, index) for index, item in enumerate(planned)]
        unknown = math.inf  # what nobody knows goes first: it may be the longest
        tasks.sort(key=lambda t: -means.seconds.get(t.fit_id, unknown))
        self._open = {task.fit_id: task for task in tasks}
        self._waiting: list[_Task] = []
        for task in tasks:
            if handed and task.fit_id in handed:
                self._attach(task, handed[task.fit_id])
            else:
                self._waiting.append(task)
        self._total, self._begun = len(tasks), 0
        self._results: dict[int, CellResults] = {}
        self._watch, self._began = Watch(), time.monotonic()
        self._asked, self._silent_slurm = -math.inf, ""
        self._told: set[tuple[str, str]] = set()

    def run(self) -> list[CellResults]:
        """Watch; see `hashbench.run.local.run_cells`."""
        while self._open:
            self._fill()
            self._look_at_store()
            self._ask_slurm()
            for task in [task for task in self._open.values() if task.lost]:
                self._see_to_loss(task)
            if self._open:
                time.sleep(_LOOK_EVERY)
        return [self._results[index] for index in range(self._total)]

    @property
    def jobs(self) -> int:
        """How many jobs are watched."""
        return sum(task.handed is not None for task in self._open.values())

    def _fill(self) -> None:
        """Hand over what is not Slurm's yet."""
        if not self._waiting or self._hand_over is None:
            return
        taken = self._hand_over([task.item for task in self._waiting])
        for task in list(self._waiting):
            if task.fit_id in taken:
                self._waiting.remove(task)
                self._attach(task, taken[task.fit_id])
            elif task.item.state not in WANTED:  # it was only to be watched, and has just ended
                self._waiting.remove(task)
                self._finish(task)

    def _attach(self, task: _Task, handed: Handed) -> None:
        task.handed = handed
        task.events = EventReader(self._ledger.events(handed.array, task.fit_id))
        task.state = task.ended_since = task.gone_since = task.lost = None

    def _look_at_store(self) -> None:
        """Hear the nodes, and see which cells are off the list."""
        listed = self._ledger.open_cells()
        for task in list(self._open.values()):
            if task.handed is None:
                continue
            self._hear(task)
            if task.fit_id not in listed:
                self._conclude(task)

    def _hear(self, task: _Task) -> None:
        for event in task.events.new() if task.events else ():
            kind = event["event"]
            if kind == STARTED:
                self._started(task)
            elif kind == PUT_OFF:
                self._observer.put_off(task.item, str(event.get("why", "")))
            elif kind == FINISHED:
                task.seconds = float(event.get("seconds", 0.0))
            else:
                task.phase = event.get("phase", task.phase)
                self._observer.heard(event)

    def _started(self, task: _Task) -> None:
        if not task.begun:
            task.begun, task.began = True, time.monotonic()
            self._begun += 1
        self._observer.started(task.item, self._begun, self._total)

    def _conclude(self, task: _Task) -> None:
        """A cell is off the list: its records are in the store, and seen here soon."""
        now = time.monotonic()
        task.gone_since = task.gone_since or now
        ended = self._ledger.last(task.fit_id)
        names = ended.place.records if ended else ()
        folder = self._store.root / task.fit_id
        if all((folder / name).exists() for name in names) or now > task.gone_since + _ARRIVAL:
            self._hear(task)
            self._finish(task)

    def _finish(self, task: _Task) -> None:
        found = read_cell(self._store, task.fit_id)
        del self._open[task.fit_id]
        self._results[task.index] = found
        spent = time.monotonic() - task.began if task.seconds is None else task.seconds
        self._observer.finished(task.item, found, spent)

    def _ask_slurm(self) -> None:
        """See, from time to time, which jobs Slurm has ended."""
        now = time.monotonic()
        pause = min(max(_ASK_EVERY[0], _ASK_SLOWER * (now - self._began)), _ASK_EVERY[1])
        watched = [task for task in self._open.values() if task.handed and not task.lost]
        if not watched or now < self._asked + pause:
            return
        self._asked = now
        try:
            known = states({task.handed.array.name for task in watched if task.handed})
        except SlurmError as error:
            # A controller that restarts loses nothing; a cell that ends is seen in the store.
            if str(error) != self._silent_slurm:
                self._silent_slurm = str(error)
                self._observer.put_off(watched[0].item, f"Slurm does not answer: {error}")
            return
        self._silent_slurm = ""
        for task in watched:
            if task.handed:
                self._judge(task, known.get(task.handed.job_id), now)

    def _judge(self, task: _Task, state: JobState | None, now: float) -> None:
        """Tell what has changed; see whether a job is lost."""
        before, task.state = task.state, state
        if state is not None and not state.ended:
            task.ended_since = None
            if state.waits:
                self._tell_waiting(task, state, began=before is not None and not before.waits)
            return
        task.ended_since = task.ended_since or now
        if now - task.ended_since >= _SURE_AFTER and task.handed:
            state = last_state(task.handed.job_id) or state
            if state is None or state.ended:
                task.lost = describe_loss(task.handed, state, self._ledger.output(task.handed))

    def _tell_waiting(self, task: _Task, state: JobState, *, began: bool) -> None:
        """Tell that a job is queued again, or, once an array, why it may wait for long."""
        if began:
            self._observer.put_off(task.item, f"{task.handed} is queued again; then it goes on")
        elif task.handed and state.reason not in _USUAL_REASONS:
            said = (task.handed.array.name, state.reason)
            if said not in self._told:
                self._told.add(said)
                self._observer.put_off(task.item, f"{task.handed} waits: {state.reason}")

    def _see_to_loss(self, task: _Task) -> None:
        """Record that a job was lost; hand the cell over once more where that is wanted."""
        if task.lost is None or task.handed is None:
            return
        if task.fit_id not in self._ledger.open_cells():  # it had just ended
            task.lost = None
            return
        if self._hand_over is None and not task.begun:  # cancelled before anything was done
            self._ledger.forget(task.fit_id)
            self._finish(task)
            return
        status = task.lost.status
        written = record_lost(
            task.item,
            self._store,
            task.lost,
            watch=self._watch,
            period=self._means.lease_period,
            started=task.handed.array.submitted,
            phase=task.phase,
        )
        if not written:
            return
        self._ledger.close(task.fit_id)
        again = task.tries[status] < self._means.retries.get(status, 0)
        if again and status is Status.KILLED and self._hand_over is not None:
            task.tries[status] += 1
            number, of = task.tries[status], self._means.retries[status]
            why = f"{task.lost.cause.message}: tried again ({number} of {of})"
            results = read_cell(self._store, task.fit_id)
            task.item, task.handed, task.lost = replace(task.item, results=results), None, None
            self._waiting.append(task)
            self._observer.put_off(task.item, why)
            return
        self._finish(task)
