"""The local pool: which cell starts when, and what happens when its worker ends."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hashbench.core.errors import StoreError
from hashbench.core.job import Job
from hashbench.core.record import Status
from hashbench.run.attempt import Attempt
from hashbench.run.heartbeat import Heartbeat
from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned, State
from hashbench.run.process import wait_for_words
from hashbench.run.slots import Slot
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Lease, Watch, look, take
from hashbench.store.store import Store

_LOOK_EVERY = 0.5  # seconds between two looks at a lease that another run holds


@dataclass(slots=True, eq=False)
class _Task:
    """A cell on its way through the pool."""

    item: Planned
    index: int
    alone: bool
    tries: Counter[Status] = field(default_factory=Counter)
    seconds: float = 0.0
    look_after: float = 0.0
    told_waiting: bool = False


class Pool:
    """Runs cells beside each other; see `run_cells`.

    Timing cells run alone: with several slots, a cell is trained and evaluated beside others and
    its latency measured after all of them.

    Args:
        planned: Cells with something missing.
        store: Where records go.
        observer: Hears of progress.
        means: Slots, limits, retries.
    """

    def __init__(
        self, planned: Sequence[Planned], store: Store, *, observer: Observer, means: Means
    ) -> None:
        self._store, self._observer, self._means = store, observer, means
        unknown = math.inf  # what nobody knows starts first: it may be the longest
        tasks = [
            _Task(item, index, alone=len(means.slots) > 1 and _only_latency(item.job))
            for index, item in enumerate(planned)
        ]
        tasks.sort(key=lambda t: -means.seconds.get(t.item.cell.fit_id, unknown))
        self._waiting = [task for task in tasks if not task.alone] + [t for t in tasks if t.alone]
        self._running: dict[_Task, Attempt] = {}
        self._free = list(reversed(means.slots))
        self._results: dict[int, CellResults] = {}
        self._begun: set[int] = set()
        self._total = len(tasks)
        self._watch = Watch()
        self._heartbeat = Heartbeat(means.lease_period)

    def run(self) -> list[CellResults]:
        """Run all cells; see `run_cells`."""
        try:
            while self._waiting or self._running:
                self._start()
                for task in list(self._running):
                    self._hear(task)
                self._pause()
        except BaseException as error:
            self._end_all(interrupted=isinstance(error, KeyboardInterrupt))
            raise
        finally:
            self._heartbeat.close()
        return [self._results[index] for index in range(self._total)]

    def _pause(self) -> None:
        workers = [attempt.worker for attempt in self._running.values()]
        if workers:
            wait_for_words(workers)
        elif self._waiting:
            soonest = min(task.look_after for task in self._waiting)
            time.sleep(min(max(soonest - time.monotonic(), 0.0), _LOOK_EVERY))

    def _start(self) -> None:
        """Start what has room and is not another run's."""
        for task in list(self._waiting):
            if not self._free or any(running.alone for running in self._running):
                return
            if task.alone and self._running:
                continue
            lease = self._claim(task)
            if lease is not None:
                self._waiting.remove(task)
                self._launch(task, lease)

    def _claim(self, task: _Task) -> Lease | None:
        """Take the cell's lease, unless another run holds it."""
        if time.monotonic() < task.look_after:
            return None
        folder = self._store.lease_folder(task.item.cell.fit_id)
        seen = look(folder)
        if seen.free or self._watch.silent(folder, seen):
            lease = take(folder, above=seen.number, period=self._means.lease_period)
            if lease is not None:
                self._heartbeat.keep(lease)
                return lease
        task.look_after = time.monotonic() + min(_LOOK_EVERY, seen.period / 4)
        if not task.told_waiting:
            task.told_waiting = True
            gone = " and is gone: taken over once the lease has ended" if seen.holder_gone else ""
            self._observer.put_off(task.item, f"{seen} has it{gone}")
        return None

    def _launch(self, task: _Task, lease: Lease) -> None:
        """Start a worker on what is still missing; another run may have done it meanwhile."""
        before = task.item
        if self._means.again is not None:
            task.item = self._means.again(before.cell)
        if _done_by_another(before, task.item):
            self._heartbeat.release(lease)
            self._finish(task, task.item.results)
            return
        job = self._part(task)
        slot = self._free.pop()
        try:
            self._running[task] = Attempt.launch(
                task.item, job, lease, slot, store=self._store, timeout=self._means.timeout
            )
        except BaseException:
            self._give_back(slot, lease)
            raise
        self._begun.add(task.index)
        self._observer.started(task.item, len(self._begun), self._total)

    def _part(self, task: _Task) -> Job:
        """What the next worker does: all that is missing, or all but the latency."""
        job = task.item.job
        together = len(self._means.slots) == 1 or task.alone
        return job if together or _only_latency(job) else replace(job, latency=())

    def _hear(self, task: _Task) -> None:
        attempt = self._running[task]
        if self._heartbeat.lost(attempt.lease):
            self._yield(task)
            return
        events, over = attempt.hear()
        for event in events:
            self._observer.heard(event)
        if over and attempt.lease.held:
            self._close(task)
        elif over:
            self._yield(task)

    def _close(self, task: _Task) -> None:
        """See to a worker that has ended, or whose time is over."""
        attempt = self._running[task]
        found = attempt.close(self._store)
        del self._running[task]
        task.seconds += time.monotonic() - attempt.worker.started
        if found.fitted:
            shutil.rmtree(self._store.work_folder(found.fit_id), ignore_errors=True)
        self._give_back(attempt.slot, attempt.lease)
        self._next(task, attempt, found)

    def _next(self, task: _Task, attempt: Attempt, found: CellResults) -> None:
        """Try a cell again, measure its latency, or be done with it."""
        status = _status(found, attempt.item.results)
        if self._tried_again(task, status):
            task.tries[status] += 1
            # Memory that ran out beside others may suffice for one alone.
            task.alone = task.alone or (status is Status.OOM and len(self._means.slots) > 1)
            number, of = task.tries[status], self._means.retries[status]
            self._put_back(task, f"{status}: tried again ({number} of {of})")
        elif found.fitted and attempt.job.latency != task.item.job.latency:
            task.alone = True
            left = replace(task.item.job, fit=False, metrics=())
            task.item = replace(task.item, results=found, job=left)
            self._put_back(task, "its latency is measured later, alone")
        else:
            self._finish(task, found)

    def _tried_again(self, task: _Task, status: Status) -> bool:
        return task.tries[status] < self._means.retries.get(status, 0)

    def _put_back(self, task: _Task, why: str) -> None:
        task.look_after = 0.0
        if self._means.again is None:
            results = read_cell(self._store, task.item.cell.fit_id)
            task.item = replace(task.item, results=results)
        else:
            task.item = self._means.again(task.item.cell)
        self._waiting.append(task)
        self._observer.put_off(task.item, why)

    def _yield(self, task: _Task) -> None:
        """Leave a cell to the run that took it over while this one slept."""
        attempt = self._running.pop(task)
        attempt.worker.kill()
        self._give_back(attempt.slot, attempt.lease)
        task.told_waiting = False
        self._waiting.append(task)

    def _finish(self, task: _Task, found: CellResults) -> None:
        self._begun.add(task.index)
        self._results[task.index] = found
        self._observer.finished(task.item, found, task.seconds)

    def _give_back(self, slot: Slot, lease: Lease) -> None:
        self._free.append(slot)
        self._heartbeat.release(lease)

    def _end_all(self, *, interrupted: bool) -> None:
        """End all workers, at the same time; record that where it was the user's wish."""
        attempts = list(self._running.values())
        for attempt in attempts:
            attempt.worker.ask_to_end()
        for attempt in attempts:
            if interrupted:
                # What cannot be recorded is not lost: the next run finds the cell missing.
                with suppress(StoreError):
                    attempt.interrupt(self._store)
            else:
                attempt.worker.kill()
            self._heartbeat.release(attempt.lease)


def _only_latency(job: Job) -> bool:
    return not (job.fit or job.metrics)


def _status(found: CellResults, before: CellResults) -> Status:
    """How the attempt ended: the status of what it left behind."""
    if found.failures and found.failures != before.failures:
        return found.failures[-1].status
    return found.fit.status if found.fit else Status.FAILED


def _done_by_another(before: Planned, now: Planned) -> bool:
    """Whether nothing is left to do: another run did it, or failed at it by itself."""
    if now.state is State.DONE:
        return True
    tried = now.results.fit is not None and now.results.fit != before.results.fit
    return tried and not now.results.fitted and now.state is State.FAILED
