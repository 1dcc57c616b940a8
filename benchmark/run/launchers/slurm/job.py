"""Run one cell in a Slurm job, on its node."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from hashbench.core.record import Cause, Status
from hashbench.run.end_record import End, record_lost
from hashbench.run.launchers.slurm.ledger import Ledger
from hashbench.run.node import Assignment, run_assignment
from hashbench.store.lease import PERIOD, Watch
from hashbench.store.store import Store

_ENDED_BY_SIGNAL = 128


@dataclass(frozen=True, slots=True)
class SlurmCell:
    """One cell, as submitit takes it to a node.

    Before the job's time is over, and where a cluster says so before it pre-empts a job, submitit
    calls `checkpoint` and has the job queued again; the cell then goes on from its last epoch.

    Attributes:
        assignment: The cell.
        time: Seconds of one stay, for the record of a cell whose time is over for good.
    """

    assignment: Assignment
    time: float

    def __call__(self) -> None:
        """Run the cell; afterwards its records are in the store.

        Raises:
            StoreError: If this node does not see the store, or cannot write it.
            ConfigError: If this node has other source code.
            DataError: If files that the cell needs are not here.
        """
        from submitit.core.utils import UncompletedJobError

        # Slurm gives a job half a minute between this and the end: the worker is ended in order
        # and the lease given back. Whether the job is queued again is for Slurm to know.
        signal.signal(signal.SIGTERM, _leave)
        item = self.assignment.item
        store = Store(item.job.store)
        records: frozenset[str] = frozenset()
        try:
            records = run_assignment(self.assignment)
        except UncompletedJobError as error:
            self._give_up(store, str(error))
        Ledger(store).close(item.cell.fit_id, records)

    def checkpoint(self) -> Any:
        """Return what a job does that is queued again: the same, from the store's checkpoints."""
        from submitit.helpers import DelayedSubmission

        _ignore_signals()  # to queue it again is to be sent a SIGTERM, while this stay ends already
        return DelayedSubmission(self)

    def _give_up(self, store: Store, why: str) -> None:
        """Record that the job was queued again as often as it may be."""
        item = self.assignment.item
        submitted = Ledger(store).find(item.cell.fit_id)
        if submitted is None:
            return
        message = f"{submitted}: not done in the last of its stays of {self.time:g} s: {why}"
        end = End(Status.TIMEOUT, Cause(type=Status.TIMEOUT.value, message=message))
        started = submitted.array.submitted
        record_lost(item, store, end, watch=Watch(), period=PERIOD, started=started)


def _leave(number: int, _: object) -> NoReturn:
    _ignore_signals()
    sys.exit(_ENDED_BY_SIGNAL + number)


def _ignore_signals() -> None:
    """Let no further signal interrupt the end of the worker or the return of the lease.

    Slurm sends the same one from several sides, and ends what takes too long by force.
    """
    for each in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(each, signal.SIG_IGN)
