"""What tells a worker to end: its parent's death, another run's lease, or a SIGTERM."""

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

_LOOKS_A_PERIOD = 4
_SECONDS_AFTER_SIGTERM = 5.0  # less than whoever sent it waits before it kills


class Lifeline:
    """Sets `stop` when the worker shall end at its next step, and ends it where none comes.

    The parent holds the writing end of a pipe; the pipe closes with it, however it dies. Half a
    lease later the worker is gone, whatever it is at, so that whoever takes the cell over is alone.

    Args:
        descriptor: The pipe's reading end, or None without a parent that could die.
        job: Names the lease the worker works under.

    Attributes:
        stop: Asked at every step of a training.
    """

    def __init__(self, descriptor: int | None, job: Job) -> None:
        self.stop = threading.Event()
        self._descriptor = descriptor
        self._lease = lease_of(job)
        self._period = job.lease_period or PERIOD

    def start(self) -> None:
        """Watch from now on, in a thread; take SIGTERM."""
        signal.signal(signal.SIGTERM, self._asked_to_end)
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
        if self._descriptor is not None or self._lease is not None:
            threading.Thread(target=self._watch, daemon=True, name="lifeline").start()

    def _asked_to_end(self, *_: object) -> None:
        if not self.stop.is_set():
            signal.setitimer(signal.ITIMER_REAL, _SECONDS_AFTER_SIGTERM)
        self.stop.set()

    def _watch(self) -> None:
        gone = False
        while not gone:
            gone = self._parent_gone()
            if self._lease is not None and _lost(self._lease):
                _end_group()  # without a checkpoint: the folder is another worker's now
        self.stop.set()
        time.sleep(self._period / 2)
        _end_group()

    def _parent_gone(self) -> bool:
        """Wait for a while; whether the pipe has closed."""
        pause = self._period / _LOOKS_A_PERIOD
        if self._descriptor is None:
            time.sleep(pause)
            return False
        return bool(select.select([self._descriptor], [], [], pause)[0])


def lease_of(job: Job) -> Lease | None:
    """The lease a job is done under, if any."""
    folder = Store(job.store).lease_folder(job.cell.fit_id)
    return Lease(folder, job.lease, job.lease_period) if job.lease else None


def _lost(lease: Lease) -> bool:
    try:
        return not lease.held
    except StoreError:  # cannot be known now; it is asked again before a record is written
        return False


def _end_group() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(ExitCode.INTERRUPTED)
