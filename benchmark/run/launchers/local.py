"""Cells on this machine, some beside each other, each in a process group of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hashbench.core.arithmetic import worker_environment
from hashbench.core.errors import DamagedStoreError, ExitCode, LeaseLostError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.job import JOB
from hashbench.core.record import timestamp
from hashbench.run.campaign import Campaign, Ended, Returned, Rules, Said, Task, Update
from hashbench.run.end_record import End, record_end
from hashbench.run.event_file import FINISHED, PUT_OFF, STARTED
from hashbench.run.heartbeat import Heartbeat
from hashbench.run.options import Observer, RunOptions, Slot
from hashbench.run.plan import Planned, plan_rest
from hashbench.run.process import WorkerProcess, wait_for_events
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Lease, Watch, look, take
from hashbench.store.store import Store

_LOOK_EVERY = 0.5  # seconds between two looks at a lease that another run holds
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_cells(
    planned: Sequence[Planned],
    store: Store,
    *,
    observer: Observer,
    timeout: float | None = None,
    options: RunOptions | None = None,
) -> list[CellResults]:
    """Run cells, each at most once however many runs share the store.

    Args:
        planned: Cells with something missing.
        store: Where records go.
        observer: Told of progress.
        timeout: Seconds after which a cell's process group is killed, where no options are given.
        options: Slots, limits, retries.

    Returns:
        What the store has of each cell afterwards, in the order given.

    Raises:
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C, after the running workers were ended and recorded.
    """
    options = options or RunOptions(timeout=timeout)
    with closing(Heartbeat(options.lease_period)) as heartbeat:
        launcher = LocalLauncher(store, options, heartbeat)
        return Campaign(planned, store, launcher, observer=observer, options=options).run()


class LocalLauncher:
    """Starts workers on this machine, one in each free slot, each under its cell's lease."""

    def __init__(self, store: Store, options: RunOptions, heartbeat: Heartbeat) -> None:
        self.rules = Rules(separate_latency=len(options.slots) > 1, retries=options.retries)
        self._store, self._options, self._heartbeat = store, options, heartbeat
        self._free = list(reversed(options.slots))
        self._running: dict[Task, _Attempt] = {}
        self._held: dict[Task, float] = {}  # by other runs, and when to look again
        self._updates: list[Update] = []
        self._watch = Watch()

    def submit(self, tasks: Sequence[Task]) -> list[Task]:
        """Start what has room and is not held by another run."""
        taken = []
        for task in tasks:
            if not self._free or any(running.alone for running in self._running):
                break
            if not (task.alone and self._running) and self._start(task):
                taken.append(task)
        return taken

    def poll(self) -> Iterator[Update]:
        """Wait until a worker reports something, or a moment; report it, and what has ended."""
        self._wait()
        while self._updates:
            yield self._updates.pop(0)
        for task, attempt in list(self._running.items()):
            if self._heartbeat.lost(attempt.lease):
                yield self._give_up(task)
                continue
            events, over = attempt.read_events()
            for event in events:
                yield Said(task, event)
            if over and attempt.lease.held:
                yield from self._close(task)
            elif over:
                yield self._give_up(task)

    def cancel(self, *, interrupted: bool) -> None:
        """End all workers, at the same time; record that where the user wants it."""
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

    def _wait(self) -> None:
        workers = [attempt.worker for attempt in self._running.values()]
        if self._updates:
            return
        if workers:
            wait_for_events(workers)
        elif self._held:
            soonest = min(self._held.values())
            time.sleep(min(max(soonest - time.monotonic(), 0.0), _LOOK_EVERY))

    def _start(self, task: Task) -> bool:
        """Start a worker on what is still missing; another run may have done it meanwhile."""
        lease = self._claim(task)
        if lease is None:
            return False
        task.item = plan_rest(task.item, self._store)
        if not task.item.state.wanted:
            self._heartbeat.release(lease)
            self._updates.append(Ended(task, task.item.results))
            return True
        slot, item = self._free.pop(), replace(task.item, job=task.part)
        try:
            attempt = _Attempt.launch(item, lease, slot, self._store, timeout=self._options.timeout)
        except BaseException:
            self._free_up(slot, lease)
            raise
        self._running[task] = attempt
        self._updates.append(Said(task, {"event": STARTED}))
        return True

    def _claim(self, task: Task) -> Lease | None:
        """Take the cell's lease, unless another run holds it."""
        if time.monotonic() < self._held.get(task, 0.0):
            return None
        folder = self._store.lease_folder(task.fit_id)
        seen = look(folder)
        if seen.free or self._watch.silent(folder, seen):
            lease = take(folder, above=seen.number, period=self._options.lease_period)
            if lease is not None:
                self._held.pop(task, None)
                self._heartbeat.keep(lease)
                return lease
        if task not in self._held:
            gone = " and is gone: taken over once the lease has ended" if seen.holder_gone else ""
            self._updates.append(Said(task, {"event": PUT_OFF, "why": f"{seen} has it{gone}"}))
        self._held[task] = time.monotonic() + min(_LOOK_EVERY, seen.period / 4)
        return None

    def _close(self, task: Task) -> Iterator[Update]:
        """Report a worker that has ended, or whose time is over."""
        attempt = self._running[task]
        found = attempt.close(self._store)
        del self._running[task]
        if found.fitted:
            shutil.rmtree(self._store.work_folder(found.fit_id), ignore_errors=True)
        self._free_up(attempt.slot, attempt.lease)
        spent = time.monotonic() - attempt.worker.started
        yield Said(task, {"event": FINISHED, "seconds": spent})
        yield Ended(task, found)

    def _give_up(self, task: Task) -> Update:
        """Leave a cell to the run that took it over while this one slept."""
        attempt = self._running.pop(task)
        attempt.worker.kill()
        self._free_up(attempt.slot, attempt.lease)
        return Returned(task)

    def _free_up(self, slot: Slot, lease: Lease) -> None:
        self._free.append(slot)
        self._heartbeat.release(lease)


@dataclass(slots=True)
class _Attempt:
    """A running worker."""

    item: Planned
    lease: Lease
    slot: Slot
    worker: WorkerProcess
    started: str = field(default_factory=timestamp)
    phase: str = ""

    @classmethod
    def launch(
        cls, item: Planned, lease: Lease, slot: Slot, store: Store, *, timeout: float | None
    ) -> _Attempt:
        """Start a worker on a job.

        Raises:
            StoreError: If the job cannot be written.
        """
        job = replace(item.job, lease=lease.number, lease_period=lease.period)
        file = _job_file(store.work_folder(job.cell.fit_id), lease)
        write_atomically(file, JOB.dump_json(job))
        log = store.log_file(job.cell.fit_id)
        log.parent.mkdir(exist_ok=True)
        environment = {**worker_environment(job.cell), **_environment(slot, job.threads)}
        worker = WorkerProcess.launch(file, log, timeout=timeout, environment=environment)
        return cls(item, lease, slot, worker)

    def read_events(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the worker's new events, with the cell's id, and whether the worker is over.

        Raises:
            StoreError: If the worker reported that the store cannot be used.
        """
        events, over = self.worker.read_events()
        for event in events:
            self.phase = event.get("phase", self.phase)
            if event["event"] == "store-error":
                damaged = event["code"] == ExitCode.STORE_DAMAGED
                raise (DamagedStoreError if damaged else StoreError)(event["message"])
        return [{"cell": self.item.cell.fit_id, **event} for event in events], over

    def close(self, store: Store) -> CellResults:
        """End what is left of the worker, and see that its end is on record.

        Raises:
            StoreError: If that cannot be written.
        """
        end = self.worker.end()
        self._kill()
        found = read_cell(store, self.item.cell.fit_id)
        if end is None and found == self.item.results:
            end = self.worker.silent()
        if end is None:
            return found
        self._record(end, store)
        return read_cell(store, self.item.cell.fit_id)

    def interrupt(self, store: Store) -> None:
        """End the worker because the user wants the run to end, and record that.

        Raises:
            StoreError: If that cannot be written.
        """
        self._kill()
        left_a_record = read_cell(store, self.item.cell.fit_id) != self.item.results
        if not (self.worker.ended_in_order and left_a_record):  # it had just finished
            self._record(self.worker.interrupted(), store)

    def _kill(self) -> None:
        self.worker.kill()
        log = self.worker.log
        if not log.stat().st_size:
            log.unlink()

    def _record(self, end: End, store: Store) -> None:
        """Write the record that the worker could not write, if the cell is still this run's."""
        about = {"started": self.started, "phase": self.phase}
        with suppress(LeaseLostError):
            record_end(self.item, store, end, lease=self.lease, **about)


def _job_file(folder: Path, lease: Lease) -> Path:
    """Return where the job under a lease is written, and remove those of past leases.

    A worker that slept before it read its job must not read, as its own, that of the worker which
    has the cell now.
    """
    for past in folder.glob("job-*.json"):
        with suppress(OSError):
            past.unlink()
    return folder / f"job-{lease.number}.json"


def _environment(slot: Slot, threads: int) -> dict[str, str]:
    """Return the variables that must be set before a worker loads a library that computes."""
    # Torch has a call for this; other libraries read the variables and take all cores by default.
    fixed = dict.fromkeys(_THREADS, str(threads))
    return fixed if slot.gpu is None else {**fixed, "CUDA_VISIBLE_DEVICES": slot.gpu}
