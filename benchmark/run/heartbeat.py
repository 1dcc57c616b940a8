"""Leases kept alive while their cells run."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from hashbench.core.errors import StoreError
from hashbench.store.lease import Lease

_BEATS_A_PERIOD = 6


class Heartbeat:
    """A thread that raises the counters of this run's leases, six times a period.

    A thread, so that neither a slow disk nor a terminal that is not read makes the run seem dead.
    """

    def __init__(self, period: float) -> None:
        self._pause = period / _BEATS_A_PERIOD
        self._alive: dict[Lease, float] = {}
        self._lost: set[Lease] = set()
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # a beat must not overwrite that a lease was given back
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heartbeat")
        self._thread.start()

    def keep(self, lease: Lease) -> None:
        """Keep a lease alive from now on."""
        with self._lock:
            self._alive[lease] = time.monotonic()

    def lost(self, lease: Lease) -> bool:
        """Whether somebody took the lease over."""
        with self._lock:
            return lease in self._lost

    def release(self, lease: Lease) -> None:
        """Give a lease back, or let it end by itself where the store cannot be written."""
        with self._lock:
            self._alive.pop(lease, None)
            self._lost.discard(lease)
        with suppress(StoreError), self._writing:
            lease.release()

    def close(self) -> None:
        """Stop; leases that were not given back end by themselves."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            with self._lock:
                leases = list(self._alive)
            for lease in leases:
                self._raise_counter(lease)

    def _raise_counter(self, lease: Lease) -> None:
        with self._writing:
            with self._lock:
                since = self._alive.get(lease)
            if since is None:  # given back meanwhile
                return
            alive = _beat(lease, since)
        with self._lock:
            if lease not in self._alive:
                return
            if alive is None:
                self._lost.add(lease)
                del self._alive[lease]
            else:
                self._alive[lease] = alive


def _beat(lease: Lease, since: float) -> float | None:
    """Return when the lease was last known to hold; None if it does not any more."""
    try:
        return time.monotonic() if lease.beat() else None
    except StoreError:  # a network that comes back in time ends nothing
        return since if time.monotonic() - since < lease.period else None
