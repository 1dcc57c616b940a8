"""Cells as Slurm jobs: submitted in arrays, followed through the store, judged by Slurm's answers.

A job that an earlier run submitted is followed instead of submitted again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hashbench.core.errors import ConfigError
from hashbench.core.record import Status
from hashbench.run.campaign import Ended, Lost, Rules, Said, Task, Update
from hashbench.run.event_file import PUT_OFF, EventReader
from hashbench.run.launchers.slurm.arrays import Submitter, in_arrays
from hashbench.run.launchers.slurm.ledger import Submitted
from hashbench.run.launchers.slurm.programs import SlurmError
from hashbench.run.launchers.slurm.queue import JobState, describe_loss, last_state, states
from hashbench.run.launchers.slurm.submission_lock import find_submitted, only_submitter
from hashbench.run.options import Observer
from hashbench.run.plan import Planned
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store

_LOOK_EVERY = 1.0  # seconds between two looks at the store
_ASK_EVERY = (3.0, 30.0)  # seconds between two questions to Slurm, at first and at last
_ASK_SLOWER = 0.05  # how much of the time that has passed they are apart
_SUBMIT_AGAIN = 60.0  # seconds after which Slurm is asked again that has a limit on jobs
_SURE_AFTER = 6.0  # seconds for which a job must have ended before its cell counts as lost
_ARRIVAL = 90.0  # seconds until a record of a node is seen here, through a network's caches

_USUAL_REASONS = {"None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit"}


@dataclass(slots=True, eq=False)
class _Job:
    """The job of a task.

    Attributes:
        submitted: Its entry in the ledger.
        events: The events that its node writes.
        state: What Slurm reported last.
        ended_since: Since when Slurm reports that it has ended.
        gone_since: Since when its cell is off the ledger's open list.
    """

    task: Task
    submitted: Submitted
    events: EventReader
    state: JobState | None = None
    ended_since: float | None = None
    gone_since: float | None = None


class SlurmLauncher:
    """Submits cells to Slurm, and follows their jobs.

    Args:
        store: Where records come from.
        submitter: Makes arrays.
        observer: Told that another run is submitting.
        total: How many cells the user wants, for the message on Ctrl-C.
        cancelled: The jobs of cells that are being cancelled; None where cells are to be run.
    """

    def __init__(
        self,
        store: Store,
        submitter: Submitter,
        observer: Observer,
        *,
        total: int = 0,
        cancelled: Mapping[str, Submitted] | None = None,
    ) -> None:
        killed = submitter.options.retries.get(Status.KILLED, 0) if cancelled is None else 0
        self.rules = Rules(retries_of_lost={Status.KILLED: killed})
        self._store, self._submitter, self._observer = store, submitter, observer
        self._ledger = submitter.ledger
        self._total, self._cancelled = total, cancelled
        self._jobs: dict[str, _Job] = {}
        self._updates: list[Update] = []
        self._began, self._asked, self._not_before = time.monotonic(), -math.inf, 0.0
        self._no_answer = ""
        self._reported: set[tuple[str, str]] = set()

    def submit(self, tasks: Sequence[Task]) -> list[Task]:
        """Submit as many cells as Slurm takes, and follow those that it has already.

        Raises:
            ConfigError: If Slurm refuses what a cell asks for.
            StoreError: If the store cannot be written.
        """
        if time.monotonic() < self._not_before:
            return []
        found = self._cancelled
        if found is None:
            found = self._submit([task.item for task in tasks])
        taken = []
        for task in tasks:
            if task.fit_id in found:
                self._follow(task, found[task.fit_id])
            elif not task.item.state.wanted:  # it was only to be followed, and has just ended
                self._updates.append(Ended(task, read_cell(self._store, task.fit_id)))
            else:
                continue
            taken.append(task)
        return taken

    def poll(self) -> Iterator[Update]:
        """Report new events of nodes, cells that have ended, and jobs that were lost."""
        time.sleep(_LOOK_EVERY)
        while self._updates:
            yield self._updates.pop(0)
        listed = self._ledger.open_cells()
        for job in list(self._jobs.values()):
            yield from self._events(job)
            if job.task.fit_id not in listed:
                yield from self._conclude(job)
        yield from self._ask_slurm()

    def cancel(self, *, interrupted: bool) -> None:
        """Leave the jobs to Slurm; the same command follows them again.

        Raises:
            KeyboardInterrupt: Instead of the one that ended the campaign, with the number of jobs.
        """
        if interrupted and self._jobs and self._cancelled is None:
            raise KeyboardInterrupt(
                f"detached: {len(self._jobs)} of {self._total} cells are with Slurm and go on. The "
                f"same command attaches again, with --cancel it cancels them; hashbench status "
                f"shows their state"
            )

    def _submit(self, items: Sequence[Planned]) -> dict[str, Submitted]:
        """Return the jobs of cells by fit id; cells that Slurm does not take yet are left out."""
        period, ledger = self._submitter.options.lease_period, self._ledger
        with only_submitter(self._store, period, self._observer, items[0]):
            taken = find_submitted(items, ledger)
            new = [i for i in items if i.cell.fit_id not in taken and i.state.wanted]
            for cells in in_arrays(new, self._submitter.options.request):
                try:
                    submitted = self._submitter.submit(cells)
                except SlurmError as error:
                    self._refused(cells, error, len(taken))
                    break
                taken |= {each.fit_id: each for each in submitted}
        return taken

    def _refused(self, cells: Sequence[Planned], error: SlurmError, taken: int) -> None:
        """Wait where the number of jobs is limited; nothing else gets better by waiting."""
        others = bool(taken or self._ledger.open_cells())
        if "limit" in str(error).lower() and others:
            self._not_before = time.monotonic() + _SUBMIT_AGAIN
            self._observer.put_off(cells[0], f"Slurm takes no more for now: {error}")
            return
        going_on = f"; {taken} that it took go on" if taken else ""
        raise ConfigError(
            f"Slurm refuses jobs for {len(cells)} of the cells: {error}. Correct execute.slurm of "
            f"the matrix; hashbench doctor --backend slurm shows what there is{going_on}"
        )

    def _follow(self, task: Task, submitted: Submitted) -> None:
        events = EventReader(self._ledger.events(submitted.array, task.fit_id))
        self._jobs[task.fit_id] = _Job(task, submitted, events)

    def _events(self, job: _Job) -> Iterator[Update]:
        for event in job.events.new():
            yield Said(job.task, event)

    def _conclude(self, job: _Job) -> Iterator[Update]:
        """Report a cell that has ended: its records are in the store, and seen here soon."""
        now, fit_id = time.monotonic(), job.task.fit_id
        job.gone_since = job.gone_since or now
        ended = self._ledger.last(fit_id)
        names = ended.place.records if ended else ()
        folder = self._store.root / fit_id
        if all((folder / name).exists() for name in names) or now > job.gone_since + _ARRIVAL:
            yield from self._events(job)
            del self._jobs[fit_id]
            yield Ended(job.task, read_cell(self._store, fit_id))

    def _ask_slurm(self) -> Iterator[Update]:
        """See, from time to time, which jobs Slurm has ended."""
        now = time.monotonic()
        pause = min(max(_ASK_EVERY[0], _ASK_SLOWER * (now - self._began)), _ASK_EVERY[1])
        jobs = list(self._jobs.values())
        if not jobs or now < self._asked + pause:
            return
        self._asked = now
        try:
            known = states({job.submitted.array.name for job in jobs})
        except SlurmError as error:
            # A controller that restarts loses nothing; a cell that ends is seen in the store.
            if str(error) != self._no_answer:
                self._no_answer = str(error)
                yield _put_off(jobs[0], f"Slurm does not answer: {error}")
            return
        self._no_answer = ""
        for job in jobs:
            yield from self._judge(job, known.get(job.submitted.job_id), now)

    def _judge(self, job: _Job, state: JobState | None, now: float) -> Iterator[Update]:
        """Report what has changed, and a job that is lost."""
        before, job.state = job.state, state
        if state is not None and not state.ended:
            job.ended_since = None
            if state.waits:
                yield from self._report_waiting(job, state, before)
            return
        job.ended_since = job.ended_since or now
        if now - job.ended_since < _SURE_AFTER:
            return
        state = last_state(job.submitted.job_id) or state
        if state is None or state.ended:
            yield from self._lose(job, state)

    def _report_waiting(
        self, job: _Job, state: JobState, before: JobState | None
    ) -> Iterator[Update]:
        """Report that a job is queued again, or, once an array, why it may wait for long."""
        if before is not None and not before.waits:
            yield _put_off(job, f"{job.submitted} is queued again; then it goes on")
        elif state.reason not in _USUAL_REASONS:
            said = (job.submitted.array.name, state.reason)
            if said not in self._reported:
                self._reported.add(said)
                yield _put_off(job, f"{job.submitted} waits: {state.reason}")

    def _lose(self, job: _Job, state: JobState | None) -> Iterator[Update]:
        task, submitted, ledger = job.task, job.submitted, self._ledger
        if task.fit_id not in ledger.open_cells():  # it has just ended
            return
        del self._jobs[task.fit_id]
        if self._cancelled is not None and not task.begun:  # nothing was done yet
            ledger.forget(task.fit_id)
            yield Ended(task, read_cell(self._store, task.fit_id))
            return
        end = describe_loss(submitted, state, ledger.output(submitted))
        started = submitted.array.submitted
        yield Lost(task, end, started, recorded=lambda: ledger.close(task.fit_id))


def _put_off(job: _Job, why: str) -> Said:
    return Said(job.task, {"event": PUT_OFF, "why": why})
