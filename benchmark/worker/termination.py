"""End a worker when its parent dies, when its lease is lost, or on SIGTERM."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

from hashbench.core.errors import ExitCode, StoreError
from hashbench.core.job import Job
from hashbench.store.lease import PERIOD, Lease
from hashbench.store.store import Store

_CHECKS_A_PERIOD = 4
_SECONDS_AFTER_SIGTERM = 5.0  # less than the sender of SIGTERM waits before it sends SIGKILL


class TerminationWatch:
    """Sets `stop` when the worker shall exit, and kills it if it does not.

    The parent holds the writing end of a pipe, which closes when the parent dies, for whatever
    reason. The worker is killed half a lease period later, so that the run that takes over the cell
    is the only one working on it. ``descriptor`` is the reading end, or None without a parent.

    Attributes:
        stop: Checked before every training step.
    """

    def __init__(self, descriptor: int | None, job: Job) -> None:
        self.stop = threading.Event()
        self._descriptor = descriptor
        self._lease = lease_of(job)
        self._period = job.lease_period or PERIOD

    def start(self) -> None:
        """Start the watching thread and handle SIGTERM."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
        if self._descriptor is not None or self._lease is not None:
            threading.Thread(target=self._watch, daemon=True, name="termination").start()

    def _on_sigterm(self, *_: object) -> None:
        if not self.stop.is_set():
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_AFTER_SIGTERM)
        self.stop.set()

    def _watch(self) -> None:
        gone = False
        while not gone:
            gone = self._parent_gone()
            if self._lease is not None and _lost(self._lease):
                _kill_group()  # without a checkpoint: the folder belongs to another worker now
        self.stop.set()
        time.sleep(self._period / 2)
        _kill_group()

    def _parent_gone(self) -> bool:
        """Wait until the parent's pipe closes or a part of the period has passed."""
        pause = self._period / _CHECKS_A_PERIOD
        if self._descriptor is None:
            time.sleep(pause)
            return False
        return bool(select.select([self._descriptor], [], [], pause)[0])


def lease_of(job: Job) -> Lease | None:
    """Return the lease that a job runs under, if any."""
    folder = Store(job.store).lease_folder(job.cell.fit_id)
    return Lease(folder, job.lease, job.lease_period) if job.lease else None


def _lost(lease: Lease) -> bool:
    try:
        return not lease.held
    except StoreError:  # unknown for now; the lease is checked again before a record is written
        return False


def _kill_group() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(ExitCode.INTERRUPTED)
