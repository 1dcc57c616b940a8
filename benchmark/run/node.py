"""One cell on a node of a cluster, the same under Slurm and under Ray.

The cluster gives `run_assignment` to a process on the node. There a campaign of one cell takes the
cell's lease, launches its worker, and writes the record of a worker that died. The worker's events
go to a file of the store, so that no other connection to the run is needed.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from hashbench.core.errors import StoreError
from hashbench.core.record import Record
from hashbench.run.event_file import EventWriter
from hashbench.run.launchers.local import run_cells
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import RunOptions, Slot
from hashbench.run.plan import Planned
from hashbench.store.store import Store, record_name


@dataclass(frozen=True, slots=True)
class Assignment:
    """A cell as it is sent to a node; plain data.

    Attributes:
        item: The cell, as it was planned.
        options: Limits and retries; the cluster decides about slots.
        events: The file for the worker's events. Its folder was made for this run, so a node that
            does not see it does not see the store.
        requirements: Source digest, plugins and variables that the node must share.
    """

    item: Planned
    options: RunOptions
    events: Path
    requirements: NodeRequirements = field(default_factory=NodeRequirements)

    @classmethod
    def of(
        cls, item: Planned, options: RunOptions, *, events: Path, requirements: NodeRequirements
    ) -> Assignment:
        """Make an assignment that does not depend on this process or its working folder."""
        job = item.job
        job = replace(
            job,
            store=job.store.resolve(),
            data_root=job.data_root and job.data_root.resolve(),
            weights=job.weights and job.weights.resolve(),
            plugins=tuple(path.resolve() for path in job.plugins),
        )
        bare = replace(options, slots=(Slot(0),), seconds={}, request=None)
        return cls(replace(item, job=job), bare, events.resolve(), requirements)


def run_assignment(assignment: Assignment, *, gpu: str | None = None) -> frozenset[str]:
    """Run a cell on this node; its records are in the store afterwards.

    Args:
        assignment: The cell.
        gpu: The only CUDA devices that it sees, as CUDA_VISIBLE_DEVICES names them; None where the
            cluster has set that.

    Returns:
        The file names of the cell's records, so that a run that waits for them elsewhere knows
        when it sees all.

    Raises:
        StoreError: If this node does not see the store, or cannot write it.
        ConfigError: If this node has other source code.
        DataError: If files that the cell needs are not here.
        KeyboardInterrupt: When the cluster interrupts, after the worker was ended and recorded.
    """
    check_store(assignment.item.job.store, seen_by=assignment.events.parent)
    item = assignment.requirements.apply(assignment.item)
    store = Store.open(item.job.store)
    options = replace(assignment.options, slots=(Slot(0, gpu),))
    with EventWriter(assignment.events, item.cell.fit_id) as observer:
        (found,) = run_cells([item], store, observer=observer, options=options)
    fits = (found.fit,) if found.fit else ()
    records: tuple[Record, ...] = (*fits, *found.evaluations, *found.latencies, *found.failures)
    return frozenset(record_name(record) for record in records)


def check_store(store: Path, *, seen_by: Path) -> None:
    """Check that this node sees the store, and a folder in it that the run has just made.

    Raises:
        StoreError: If it has not, or cannot write there.
    """
    node = f"node {socket.gethostname()}"
    if not seen_by.is_dir():
        raise StoreError(
            f"{node}: the store {store} of this run is not there; name one with --store on a disk "
            f"that all nodes share under the same path"
        )
    if not os.access(seen_by, os.W_OK):
        raise StoreError(f"{node}: no permission to write to the store {store}; run as its owner")
