"""The lock under which runs submit to Slurm, one at a time, so that no cell is submitted twice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from hashbench.core.errors import ConfigError
from hashbench.run.heartbeat import Heartbeat
from hashbench.run.launchers.slurm.ledger import Array, Ledger, Submitted
from hashbench.run.launchers.slurm.programs import SlurmError
from hashbench.run.launchers.slurm.queue import job_id_of
from hashbench.run.options import Observer
from hashbench.run.plan import Planned
from hashbench.store.lease import Lease, Watch, look, take
from hashbench.store.store import Store

_LEASE = "slurm"  # beside those of cells, whose names are 16 hexadecimal digits
_LOOK_EVERY = 0.5


def find_submitted(items: Sequence[Planned], ledger: Ledger) -> dict[str, Submitted]:
    """Return the cells that Slurm has already, by fit id; call it under the lock.

    Raises:
        ConfigError: If Slurm does not answer.
        StoreError: If the list cannot be written.
    """
    listed = ledger.open_cells()
    entries = [ledger.find(i.cell.fit_id) for i in items if i.cell.fit_id in listed]
    found = [each for each in entries if each is not None]
    unanswered = {each.array.name: each.array for each in found if not each.array.job_id}
    for array in unanswered.values():
        _settle(array, ledger)
    kept = [ledger.find(each.fit_id) for each in found]
    for each in kept:
        if each is not None and not each.array.job_id:  # Slurm has never had it
            ledger.forget(each.fit_id)
    return {each.fit_id: each for each in kept if each is not None and each.array.job_id}


def _settle(array: Array, ledger: Ledger) -> None:
    """Look up the id of an array whose run died before Slurm had answered."""
    try:
        job_id = job_id_of(array.name)
    except SlurmError as error:
        raise ConfigError(f"--backend slurm: Slurm does not answer: {error}; try again") from None
    if job_id is not None:
        ledger.note(replace(array, job_id=job_id))


@contextmanager
def only_submitter(
    store: Store, period: float, observer: Observer, item: Planned
) -> Iterator[None]:
    """Hold the lock of a store while the block runs; report to the observer who holds it else."""
    lease = _wait_for_turn(store, period, observer, item)
    with closing(Heartbeat(period)) as heartbeat:
        heartbeat.keep(lease)
        try:
            yield
        finally:
            heartbeat.release(lease)


def _wait_for_turn(store: Store, period: float, observer: Observer, item: Planned) -> Lease:
    folder, watch, told = store.lease_folder(_LEASE), Watch(), False
    while True:
        seen = look(folder)
        if seen.free or watch.silent(folder, seen):
            lease = take(folder, above=seen.number, period=period)
            if lease is not None:
                return lease
        elif not told:
            told = True
            observer.put_off(item, f"{seen} is submitting cells to Slurm")
        time.sleep(_LOOK_EVERY)
