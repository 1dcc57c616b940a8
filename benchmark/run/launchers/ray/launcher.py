"""Cells as tasks of a Ray cluster: submitted to its nodes and followed through the store."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from hashbench.core.errors import StoreError
from hashbench.core.record import Cause, Status
from hashbench.run.campaign import Ended, Lost, Rules, Said, Task, Update
from hashbench.run.end_record import End
from hashbench.run.event_file import EventReader
from hashbench.run.launchers.ray.share import Node, Share, share_of, threads_of
from hashbench.run.launchers.ray.survey import living_nodes
from hashbench.run.node import Assignment, run_assignment
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import RunOptions
from hashbench.run.plan import Planned
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store

_LOOK_EVERY = 0.5  # seconds between two looks at the files that nodes write
_NODES_TO_LOSE = 2  # nodes that a cell may lose before it is taken to be the reason
_GRACE = 20.0  # seconds for nodes to end their workers: twice what a worker is given
_ARRIVAL = 90.0  # seconds until a record of a node is seen here, through a network's caches


@dataclass(slots=True, eq=False)
class _Job:
    """The attempt of a task.

    Attributes:
        events: The events that its node writes.
        names: The records that must be seen here; None while it has not ended.
        until: When they must be seen, on the monotonic clock.
    """

    task: Task
    events: EventReader
    names: frozenset[str] | None = None
    until: float = math.inf


class RayLauncher:
    """Submits cells to the cluster that this process has joined.

    An attempt that only measures latency has all cores of a node for itself. Nodes write the events
    of workers to a folder of the run in the store.

    Raises:
        ConfigError: If a cell asks for what no node has.
    """

    rules = Rules(separate_latency=True, nodes_to_lose=_NODES_TO_LOSE)

    def __init__(
        self,
        planned: Sequence[Planned],
        store: Store,
        *,
        options: RunOptions,
        folder: Path,
        requirements: NodeRequirements,
    ) -> None:
        self._store, self._options = store, options
        self._folder, self._requirements = folder, requirements
        self._nodes = living_nodes()
        self._shares = {
            item.cell.fit_id: share_of(item.job, options.request, self._nodes) for item in planned
        }
        self._jobs: dict[str, _Job] = {}
        self._running: dict[Any, _Job] = {}

    @property
    def nodes(self) -> list[Node]:
        """The nodes that may come to run a cell."""
        shares = set(self._shares.values())
        return [node for node in self._nodes if any(share.fits(node) for share in shares)]

    def submit(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Submit all cells; Ray starts them as nodes have room."""
        for task in tasks:
            share = self._shares[task.fit_id]
            job = threads_of(task.part, share, self._options.request)
            file = self._folder / f"{task.fit_id}.jsonl"
            item = replace(task.item, job=job)
            assignment = Assignment.of(
                item, self._options, events=file, requirements=self._requirements
            )
            made = self._jobs.setdefault(task.fit_id, _Job(task, EventReader(file)))
            self._running[self._remote(share, task).remote(assignment)] = made
        return tasks

    def poll(self) -> Iterator[Update]:
        """Report new events of nodes, cells that have ended, and nodes that were lost."""
        ended: list[Any] = []
        if self._running:
            ended, _ = ray.wait(list(self._running), num_returns=1, timeout=_LOOK_EVERY)
        else:
            time.sleep(_LOOK_EVERY / 5)
        yield from self._new_events()
        for ref in ended:
            yield from self._answered(self._running.pop(ref), ref)
        for job in [job for job in self._jobs.values() if job.names is not None]:
            yield from self._arrive(job, job.names or frozenset())

    def cancel(self, *, interrupted: bool) -> None:
        """End all cells; where the user wants it, nodes record that.

        Otherwise workers find their parents gone, and the next run goes on from their checkpoints.
        """
        refs = list(self._running)
        # A second Ctrl-C means: do not wait any longer.
        with suppress(KeyboardInterrupt, RayError):
            for ref in refs:
                ray.cancel(ref, force=not interrupted)
            if interrupted and refs:
                ray.wait(refs, num_returns=len(refs), timeout=_GRACE)

    def _remote(self, share: Share, task: Task) -> Any:
        # No automatic retries of any kind: the campaign counts what ends a cell.
        options: dict[str, Any] = {
            "max_retries": 0,
            "retry_exceptions": False,
            "name": f"cell {task.fit_id}",
        }
        remote: Any = ray.remote  # its types know no options by keyword mapping
        share = share.alone(self._nodes) if task.alone else share
        return remote(**share.options, **options)(_on_a_node)

    def _new_events(self) -> Iterator[Update]:
        # One listing tells which of thousands of cells have begun.
        with suppress(OSError):
            for name in os.listdir(self._folder):  # noqa: PTH208 - names are all that is wanted
                job = self._jobs.get(name.removesuffix(".jsonl"))
                if job is not None:
                    yield from self._events(job)

    def _events(self, job: _Job) -> Iterator[Update]:
        for event in job.events.new():
            yield Said(job.task, event)

    def _answered(self, job: _Job, ref: Any) -> Iterator[Update]:
        try:
            job.names = ray.get(ref)
            job.until = time.monotonic() + _ARRIVAL
        except RayTaskError as error:  # what our own code raised there
            raise error.cause from None
        except RayError as error:
            self._nodes = living_nodes()
            times = f" {job.task.losses + 1} times" if job.task.losses else ""
            message = f"its node was lost{times}: {_why(error)}"
            yield Lost(job.task, End(Status.KILLED, Cause(type="killed", message=message)))

    def _arrive(self, job: _Job, names: frozenset[str]) -> Iterator[Update]:
        """Take a cell as ended once its records are seen here."""
        folder = self._store.root / job.task.fit_id
        with suppress(OSError):
            if names <= {path.name for path in folder.iterdir()}:
                yield from self._events(job)
                del self._jobs[job.task.fit_id]
                with suppress(OSError):
                    (self._folder / f"{job.task.fit_id}.jsonl").unlink()
                yield Ended(job.task, read_cell(self._store, job.task.fit_id))
                return
        if time.monotonic() > job.until:
            raise StoreError(
                f"a node wrote records to {folder} that are not seen here after {_ARRIVAL:g} s; "
                f"put the store on a disk that all nodes share"
            )


def _on_a_node(assignment: Assignment) -> frozenset[str]:
    """Run a cell; called on the node, in one of Ray's processes."""
    gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    # Without GPUs of its own a cell sees none: it must not take another's.
    return run_assignment(assignment, gpu=",".join(str(gpu) for gpu in gpus))


def _why(error: RayError) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0].partition(". ")[0].strip() if lines else ""
    return f"{type(error).__name__}: {first}".removesuffix(": ")
