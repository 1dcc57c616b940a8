"""The record of a cell whose node was lost with all that ran there."""

from __future__ import annotations

from hashbench.core.record import timestamp
from hashbench.run.attempt import record_end
from hashbench.run.plan import Planned, State, plan_rest
from hashbench.run.process import End
from hashbench.store.lease import Watch, look, take
from hashbench.store.store import Store


def record_lost(
    item: Planned,
    store: Store,
    end: End,
    *,
    watch: Watch,
    period: float,
    started: str = "",
    phase: str = "",
) -> bool:
    """Write what became of a cell, under its lease, unless its records are there already.

    Args:
        item: The cell, as it was planned.
        store: Where the record goes.
        end: What became of it.
        watch: What the caller saw of leases so far.
        period: Seconds of silence that end the lease for the writing.
        started: When it was begun, as records state it; "" where that is not known.
        phase: What its worker said last that it was doing.

    Returns:
        False while somebody may still be at work on it: ask again later.

    Raises:
        StoreError: If it cannot be written.
    """
    folder = store.lease_folder(item.cell.fit_id)
    seen = look(folder)
    if not (seen.free or watch.silent(folder, seen)):
        return False
    lease = take(folder, above=seen.number, period=period)
    if lease is None:
        return False
    try:
        if plan_rest(item, store).state in (State.MISSING, State.PARTIAL):
            record_end(item, item.job, store, end, started=started or timestamp(), phase=phase)
    finally:
        lease.release()
    return True
