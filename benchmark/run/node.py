"""One cell on a node of a cluster, whichever engine brought it there.

The engine gives `run_assignment` to a process on the node. There a pool of one cell takes the
cell's lease, launches its worker, and writes the record of a worker that died. What the worker says
goes through a file of the store, so that engines need no way back but the store.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

from hashbench.core.errors import StoreError
from hashbench.core.record import Record
from hashbench.run.event_file import EventWriter
from hashbench.run.node_requirements import Luggage
from hashbench.run.options import Means
from hashbench.run.plan import Planned, plan_rest
from hashbench.run.pool import Pool
from hashbench.run.slots import Slot
from hashbench.store.store import Store, record_name


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a node is told of a cell; plain data.

    Attributes:
        item: The cell, as the store was when it was planned.
        means: Limits and retries; which slots there are is the engine's to know.
        events: Where it is written what the worker says. Its folder was made for this run, so a
            node that does not see it does not see the store.
        luggage: Source digests, plugins and variables that must be the same on the node.
    """

    item: Planned
    means: Means
    events: Path
    luggage: Luggage = field(default_factory=Luggage)

    @classmethod
    def of(cls, item: Planned, means: Means, *, events: Path, luggage: Luggage) -> Assignment:
        """Make an assignment that does not depend on this process or its working folder."""
        job = item.job
        job = replace(
            job,
            store=job.store.resolve(),
            data_root=job.data_root and job.data_root.resolve(),
            weights=job.weights and job.weights.resolve(),
            plugins=tuple(path.resolve() for path in job.plugins),
        )
        bare = replace(means, slots=(Slot(0),), again=None, seconds={}, request=None)
        return cls(replace(item, job=job), bare, events.resolve(), luggage)


def run_assignment(assignment: Assignment, *, gpu: str | None = None) -> frozenset[str]:
    """Do a cell on this node; its records are in the store afterwards.

    Args:
        assignment: The cell.
        gpu: The only CUDA devices that it sees, as CUDA_VISIBLE_DEVICES names them; None where the
            engine has set that.

    Returns:
        The file names of the cell's records that count, so that whoever waits for them elsewhere
        knows when it sees them.

    Raises:
        StoreError: If this node does not see the store, or cannot write it.
        ConfigError: If this node has other source code.
        DataError: If files that the cell needs are not here.
        KeyboardInterrupt: When the engine interrupts, after the worker was ended and recorded.
    """
    check_store(assignment.item.job.store, seen_by=assignment.events.parent)
    item = assignment.luggage.unpack(assignment.item)
    store = Store.open(item.job.store)
    slots = (Slot(0, gpu),)
    means = replace(assignment.means, slots=slots, again=lambda _: plan_rest(item, store))
    with EventWriter(assignment.events, item.cell.fit_id) as observer:
        (found,) = Pool([item], store, observer=observer, means=means).run()
    fits = (found.fit,) if found.fit else ()
    records: tuple[Record, ...] = (*fits, *found.evaluations, *found.latencies, *found.failures)
    return frozenset(record_name(record) for record in records)


def check_store(store: Path, *, seen_by: Path) -> None:
    """See that this node has the store of the run on its disk.

    Args:
        store: The store.
        seen_by: A folder in it that the run has just made.

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
