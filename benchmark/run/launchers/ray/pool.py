"""The cells of a run on a Ray cluster: handed over, heard, and followed when a node is lost."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from hashbench.core.errors import StoreError
from hashbench.core.record import Cause, Status
from hashbench.run.event_file import FINISHED, PUT_OFF, STARTED, EventReader
from hashbench.run.launchers.ray.share import Node, Share, share_of, threads_of
from hashbench.run.launchers.ray.survey import living_nodes
from hashbench.run.lost_cell import record_lost
from hashbench.run.node import Assignment, run_assignment
from hashbench.run.node_requirements import Luggage
from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned
from hashbench.run.process import End
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lease import Watch
from hashbench.store.store import Store

_LOOK_EVERY = 0.5  # seconds between two looks at what nodes wrote
_LOSSES = 3  # nodes that a cell may lose before it is taken to be the reason
_GRACE = 20.0  # seconds for nodes to end their workers: twice what a worker is given
_ARRIVAL = 90.0  # seconds until a record of a node is seen here, through a network's caches


@dataclass(slots=True, eq=False)
class _Task:
    """A cell on its way through the cluster.

    Attributes:
        item: The cell, as the run was given it.
        part: The part of it that is done now.
        share: What that takes of a node.
        index: Its place in the run.
        events: What nodes write of it.
        names: The records that must be seen here; None while it is not done.
        until: When they must be, on the monotonic clock.
    """

    item: Planned
    part: Planned
    share: Share
    index: int
    events: EventReader
    begun: bool = False
    losses: int = 0
    seconds: float = 0.0
    names: frozenset[str] | None = None
    until: float = field(default=math.inf)

    @property
    def fit_id(self) -> str:
        return self.item.cell.fit_id


class RayPool:
    """Runs cells on the cluster that this process has joined.

    A cell is trained and evaluated beside others; its latency is measured afterwards with all
    cores of a node for itself.

    Args:
        planned: Cells with something missing.
        store: Where records go.
        observer: Hears of progress.
        means: Limits, retries, and what each cell asks for.
        folder: Of this run in the store, where nodes write what workers say.
        luggage: What travels with every cell.

    Raises:
        ConfigError: If a cell asks for what no node has.
    """

    def __init__(
        self,
        planned: Sequence[Planned],
        store: Store,
        *,
        observer: Observer,
        means: Means,
        folder: Path,
        luggage: Luggage,
    ) -> None:
        self._store, self._observer, self._means = store, observer, means
        self._folder, self._luggage = folder, luggage
        self._nodes = living_nodes()
        tasks = [self._task(item, index) for index, item in enumerate(planned)]
        # What nobody knows starts first: it may be the longest.
        tasks.sort(key=lambda t: -means.seconds.get(t.fit_id, math.inf))
        self._waiting = tasks
        self._tasks = {task.fit_id: task for task in tasks}
        self._running: dict[Any, _Task] = {}
        self._lost: dict[_Task, str] = {}
        self._results: dict[int, CellResults] = {}
        self._total, self._begun = len(tasks), 0
        self._watch = Watch()

    @property
    def nodes(self) -> list[Node]:
        """The nodes that may come to run a cell."""
        shares = {task.share for task in self._tasks.values()}
        return [node for node in self._nodes if any(share.fits(node) for share in shares)]

    def run(self) -> list[CellResults]:
        """Run all cells; see `hashbench.run.local.run_cells`."""
        try:
            for task in self._waiting:
                self._hand_over(task)
            while self._tasks:
                self._look()
        except BaseException as error:
            self._cancel(politely=isinstance(error, KeyboardInterrupt))
            raise
        return [self._results[index] for index in range(self._total)]

    def _task(self, item: Planned, index: int) -> _Task:
        share = share_of(item.job, self._means.request, self._nodes)
        job = threads_of(item.job, share, self._means.request)
        item = replace(item, job=job)
        only_latency = not (job.fit or job.metrics)
        first = item if only_latency else replace(item, job=replace(job, latency=()))
        share = share.alone(self._nodes) if only_latency else share
        return _Task(item, first, share, index, EventReader(self._file(item)))

    def _file(self, item: Planned) -> Path:
        return self._folder / f"{item.cell.fit_id}.jsonl"

    def _hand_over(self, task: _Task) -> None:
        assignment = Assignment.of(
            task.part, self._means, events=self._file(task.item), luggage=self._luggage
        )
        # No automatic retries of any kind: what ends a cell is counted and told here.
        options: dict[str, Any] = {
            "max_retries": 0,
            "retry_exceptions": False,
            "name": f"cell {task.fit_id}",
        }
        remote: Any = ray.remote  # its types know no options by keyword mapping
        node_side = remote(**task.share.options, **options)(_on_a_node)
        self._running[node_side.remote(assignment)] = task

    def _look(self) -> None:
        """Hear what there is to hear, and see to what has ended."""
        ended: list[Any] = []
        if self._running:
            ended, _ = ray.wait(list(self._running), num_returns=1, timeout=_LOOK_EVERY)
        else:
            time.sleep(_LOOK_EVERY / 5)
        self._hear()
        for ref in ended:
            self._answered(self._running.pop(ref), ref)
        for task in [task for task in self._tasks.values() if task.names is not None]:
            self._arrive(task)
        for task, why in list(self._lost.items()):
            self._bury(task, why)

    def _hear(self) -> None:
        # One listing tells which of thousands of cells have begun.
        with suppress(OSError):
            for name in os.listdir(self._folder):  # noqa: PTH208 - names are all that is wanted
                task = self._tasks.get(name.removesuffix(".jsonl"))
                if task is not None:
                    self._relay(task)

    def _relay(self, task: _Task) -> None:
        for event in task.events.new():
            if event["event"] == STARTED:
                self._begun += not task.begun
                task.begun = True
                self._observer.started(task.item, self._begun, self._total)
            elif event["event"] == PUT_OFF:
                self._observer.put_off(task.item, event["why"])
            elif event["event"] == FINISHED:
                task.seconds += event["seconds"]
            else:
                self._observer.heard(event)

    def _answered(self, task: _Task, ref: Any) -> None:
        try:
            task.names = ray.get(ref)
            task.until = time.monotonic() + _ARRIVAL
        except RayTaskError as error:  # what our own code raised there
            raise error.cause from None
        except RayError as error:
            self._lose(task, _why(error))

    def _arrive(self, task: _Task) -> None:
        """Take a cell as done once its records are seen here: they count, not an answer."""
        folder = self._store.root / task.fit_id
        with suppress(OSError):
            if task.names is not None and task.names <= {path.name for path in folder.iterdir()}:
                task.names = None
                self._relay(task)
                self._next(task, read_cell(self._store, task.fit_id))
                return
        if time.monotonic() > task.until:
            raise StoreError(
                f"a node wrote records to {folder} that are not seen here after {_ARRIVAL:g} s; "
                f"put the store on a disk that all nodes share"
            )

    def _next(self, task: _Task, found: CellResults) -> None:
        """Measure a cell's latency, or be done with it."""
        job = task.item.job
        if found.fitted and task.part.job.latency != job.latency:
            left = replace(job, fit=False, metrics=())
            task.part = replace(task.item, results=found, job=left)
            task.share = task.share.alone(self._nodes)
            self._observer.put_off(task.item, "its latency is measured on a node for itself")
            self._hand_over(task)
        else:
            self._finish(task, found)

    def _finish(self, task: _Task, found: CellResults) -> None:
        del self._tasks[task.fit_id]
        with suppress(OSError):
            self._file(task.item).unlink()
        self._results[task.index] = found
        self._observer.finished(task.item, found, task.seconds)

    def _lose(self, task: _Task, why: str) -> None:
        """Hand a cell over once more whose node was lost, or see that its end is on record."""
        task.losses += 1
        self._nodes = living_nodes()
        if task.losses >= _LOSSES:
            self._lost[task] = why
            return
        left = any(task.share.fits(node) for node in self._nodes)
        then = "it goes on elsewhere from its last epoch" if left else "it waits for another"
        self._observer.put_off(task.item, f"its node was lost ({why}); {then}")
        self._hand_over(task)

    def _bury(self, task: _Task, why: str) -> None:
        cause = Cause(type="killed", message=f"its node was lost {task.losses} times: {why}")
        end = End(Status.KILLED, cause)
        period = self._means.lease_period
        if record_lost(task.part, self._store, end, watch=self._watch, period=period):
            del self._lost[task]
            self._finish(task, read_cell(self._store, task.fit_id))

    def _cancel(self, *, politely: bool) -> None:
        """End all cells; where it was the user's wish, nodes record that.

        Otherwise workers find their parents gone, and the next run goes on from their checkpoints.
        """
        refs = list(self._running)
        # A second Ctrl-C means: do not wait any longer.
        with suppress(KeyboardInterrupt, RayError):
            for ref in refs:
                ray.cancel(ref, force=not politely)
            if politely and refs:
                ray.wait(refs, num_returns=len(refs), timeout=_GRACE)


def _on_a_node(assignment: Assignment) -> frozenset[str]:
    """Do a cell; runs on the node, in a process of Ray's."""
    gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    # Nothing given, nothing seen: a cell that asks for no GPU must not take another's.
    return run_assignment(assignment, gpu=",".join(str(gpu) for gpu in gpus))


def _why(error: RayError) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0].partition(". ")[0].strip() if lines else ""
    return f"{type(error).__name__}: {first}".removesuffix(": ")
