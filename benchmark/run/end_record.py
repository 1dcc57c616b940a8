"""Write the record of a cell whose worker could not write one itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hashbench.core.environment import Device, capture
from hashbench.core.record import (
    Cause,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    Status,
    timestamp,
)
from hashbench.run.plan import Planned, plan_rest
from hashbench.store.catalogue import read_cell
from hashbench.store.lease import Lease, Watch, look, take
from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class End:
    """The status and cause for the record of a worker that may not have written one."""

    status: Status
    cause: Cause


def record_end(
    item: Planned,
    store: Store,
    end: End,
    *,
    started: str,
    phase: str,
    lease: Lease | None = None,
) -> None:
    """Write the record that a dead worker could not write.

    Args:
        item: The cell as it was when the worker was launched, and the worker's job.
        store: Where the record goes.
        end: How the worker ended.
        started: When it was launched, as records state it.
        phase: What it reported last that it was doing; "" if it reported nothing.
        lease: The lease under which it ran, if any.

    Raises:
        LeaseLostError: If another run took the cell over.
        StoreError: If it cannot be written.
    """
    job = item.job
    unknown = Device(kind="unknown", name="not measured: the worker ended early")
    # This process may have loaded torch, with instruction sets that the worker did not use.
    not_measured = {"device": unknown, "arithmetic": None}
    environment = capture(device="cpu", threads=job.threads).model_copy(update=not_measured)
    found = read_cell(store, job.cell.fit_id)
    shared: dict[str, Any] = {
        "fit_id": job.cell.fit_id,
        "status": end.status,
        "error": end.cause,
        "environment": environment,
        "sources": {},
        "started": started,
        "finished": timestamp(),
    }
    again = job.fit and found.fit == item.results.fit  # a fit that was to be made once more
    if not found.fitted or found.fit is None or again:
        store.write_record(FitRecord(cell=job.cell, **shared), lease=lease)
    elif phase == "latency":
        store.write_record(LatencyRecord(fit_record=found.fit.record_id, **shared), lease=lease)
    else:
        record = EvaluationRecord(fit_record=found.fit.record_id, **shared)
        store.write_record(record, lease=lease)


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
    """Write the record of a cell whose node was lost, unless its own records are there already.

    Args:
        item: The cell, as it was planned.
        store: Where the record goes.
        end: How it ended.
        watch: The leases that the caller saw so far.
        period: Seconds of silence that end the lease under which the record is written.
        started: When it was begun, as records state it; "" where that is not known.
        phase: What its worker reported last that it was doing.

    Returns:
        False while somebody may still be at work on it: try again later.

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
        if plan_rest(item, store).state.wanted:
            record_end(item, store, end, started=started or timestamp(), phase=phase)
    finally:
        lease.release()
    return True
