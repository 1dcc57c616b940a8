"""Where a run hands its cells to Slurm, one run at a time, each cell once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hashbench.core.errors import ConfigError
from hashbench.run.heartbeat import Heartbeat
from hashbench.run.launchers.slurm.arrays import Submitter, in_arrays
from hashbench.run.launchers.slurm.ledger import Array, Handed, Ledger, named
from hashbench.run.launchers.slurm.programs import SlurmError
from hashbench.run.launchers.slurm.queue import job_id_of
from hashbench.run.options import Observer
from hashbench.run.plan import Planned, State
from hashbench.store.lease import Lease, Watch, look, take
from hashbench.store.store import Store

WANTED = (State.MISSING, State.PARTIAL)
"""Cells that are handed over; others are only watched if they are with Slurm already."""

_LEASE = "slurm"  # beside those of cells, whose names are 16 hexadecimal digits
_LOOK_EVERY = 0.5
_ASK_AGAIN = 60.0  # seconds after which Slurm is asked again that has a limit on jobs


class Desk:
    """Hands over cells, or finds that they are with Slurm already.

    Args:
        store: Their store.
        submitter: Makes arrays.
        observer: Hears what waits.
    """

    def __init__(self, store: Store, submitter: Submitter, observer: Observer) -> None:
        self._store, self._submitter, self._observer = store, submitter, observer
        self._not_before = 0.0

    def __call__(self, items: Sequence[Planned]) -> dict[str, Handed]:
        """Hand over as many cells as Slurm takes; those that it does not take yet are left out.

        Raises:
            ConfigError: If Slurm refuses what a cell asks for.
            StoreError: If the store cannot be written.
        """
        if time.monotonic() < self._not_before:
            return {}
        with alone(self._store, self._submitter.means.lease_period, self._observer, items[0]):
            taken = find_handed(items, self._submitter.ledger)
            new = [i for i in items if i.cell.fit_id not in taken and i.state in WANTED]
            for cells in in_arrays(new, self._submitter.means.request):
                try:
                    handed = self._submitter.hand_over(cells)
                except SlurmError as error:
                    self._refused(cells, error, taken)
                    break
                taken |= {each.fit_id: each for each in handed}
        return taken

    def _refused(
        self, cells: Sequence[Planned], error: SlurmError, taken: dict[str, Handed]
    ) -> None:
        """Wait where the number of jobs is limited; nothing else gets better by waiting."""
        others = bool(taken or self._submitter.ledger.open_cells())
        if "limit" in str(error).lower() and others:
            self._not_before = time.monotonic() + _ASK_AGAIN
            self._observer.put_off(cells[0], f"Slurm takes no more for now: {error}")
            return
        going_on = f"; {len(taken)} that it took go on" if taken else ""
        raise ConfigError(
            f"Slurm refuses jobs for {len(cells)} of the cells: {error}. Correct execute.slurm of "
            f"the matrix; hashbench doctor --backend slurm shows what there is{going_on}"
        )


def find_handed(items: Sequence[Planned], ledger: Ledger) -> dict[str, Handed]:
    """The cells that are with Slurm already.

    Args:
        items: Cells.
        ledger: The list. Whoever wrote it has come to an end: this run is alone at the desk.

    Raises:
        ConfigError: If Slurm does not answer.
        StoreError: If the list cannot be written.
    """
    listed = ledger.open_cells()
    found = [ledger.find(i.cell.fit_id) for i in items if i.cell.fit_id in listed]
    handed = [each for each in found if each is not None]
    unanswered = {each.array.name: each.array for each in handed if not each.array.job_id}
    for array in unanswered.values():
        _settle(array, ledger)
    kept = [ledger.find(each.fit_id) for each in handed]
    for each in kept:
        if each is not None and not each.array.job_id:  # Slurm has never had it
            ledger.forget(each.fit_id)
    return {each.fit_id: each for each in kept if each is not None and each.array.job_id}


def _settle(array: Array, ledger: Ledger) -> None:
    """See what became of an array whose run died before Slurm had answered."""
    try:
        job_id = job_id_of(array.name)
    except SlurmError as error:
        raise ConfigError(f"--backend slurm: Slurm does not answer: {error}; try again") from None
    if job_id is not None:
        ledger.note(named(array, job_id))


@contextmanager
def alone(store: Store, period: float, observer: Observer, item: Planned) -> Iterator[None]:
    """Be the only run at a store's desk.

    Args:
        store: The store.
        period: Seconds of silence after which another run may go on.
        observer: Told if another run is there.
        item: A cell, for the observer.
    """
    lease = _wait_for_turn(store, period, observer, item)
    heartbeat = Heartbeat(period)
    heartbeat.keep(lease)
    try:
        yield
    finally:
        heartbeat.release(lease)
        heartbeat.close()


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
            observer.put_off(item, f"{seen} is handing cells to Slurm")
        time.sleep(_LOOK_EVERY)
