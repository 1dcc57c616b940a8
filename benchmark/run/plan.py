"""Compare the cells wanted with the results stored, and make jobs of what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hashbench.core.arithmetic import is_pinned
from hashbench.core.cell import Cell
from hashbench.core.job import Job, Request
from hashbench.core.pinning import LEVEL, can_pin
from hashbench.core.record import Status
from hashbench.core.registry import Registry
from hashbench.core.sources import source_digests
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.model import has_model
from hashbench.store.store import Store

_TRIED_AGAIN = (Status.KILLED, Status.INTERRUPTED)


class State(StrEnum):
    """The state of a cell in the store."""

    DONE = "done"
    MISSING = "missing"
    PARTIAL = "to be measured"
    FAILED = "failed"

    @property
    def wanted(self) -> bool:
        """Whether a run has something to do for the cell."""
        return self in (State.MISSING, State.PARTIAL)


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell, its state, and the job that would complete it.

    Attributes:
        cell: The cell.
        state: Its state in the store.
        results: Its results in the store.
        job: What is missing; empty for a cell that is done.
        changed: Components whose source differs from what made the stored fit.
    """

    cell: Cell
    state: State
    results: CellResults
    job: Job
    changed: tuple[str, ...] = ()

    @property
    def unpinned(self) -> bool:
        """Whether the stored fit lacks the pinned arithmetic, so that it is computed again."""
        return self.results.fitted and not _is_current(self.results)


def plan_cells(
    cells: Sequence[Cell],
    request: Request,
    *,
    store: Store,
    registry: Registry,
    retry_failed: bool = False,
) -> list[Planned]:
    """Compare what is requested with what the store has.

    Args:
        cells: The cells requested.
        request: What is requested of them.
        store: The store, perhaps not made yet.
        registry: For the digests of the present source code.
        retry_failed: Whether a cell that failed by itself is to be run again.

    Raises:
        DamagedStoreError: If a record is damaged.
    """
    return [
        _plan(cell, request, store=store, registry=registry, retry=retry_failed) for cell in cells
    ]


def plan_rest(item: Planned, store: Store) -> Planned:
    """Plan again what is left of a job; another run may have done some of it since, or failed.

    Raises:
        DamagedStoreError: If a record is damaged.
    """
    results = read_cell(store, item.cell.fit_id)
    job = _left(item.job, results)
    tried = results.fit is not None and results.fit != item.results.fit
    state = _state(results, job, retry=not tried)
    return replace(item, state=state, results=results, job=job)


def _plan(
    cell: Cell, request: Request, *, store: Store, registry: Registry, retry: bool
) -> Planned:
    results = read_cell(store, cell.fit_id)
    job = _left(_whole(cell, request, store), results)
    changed = _changed(cell, results, registry)
    return Planned(cell, _state(results, job, retry=retry), results, job, changed)


def _state(results: CellResults, job: Job, *, retry: bool) -> State:
    if results.fitted and not job.fit:
        return State.DONE if job.empty else State.PARTIAL
    if results.fitted:
        return State.MISSING
    if results.fit and results.fit.status not in _TRIED_AGAIN and not retry:
        return State.FAILED
    return State.MISSING


def _whole(cell: Cell, request: Request, store: Store) -> Job:
    """Return the job that does everything requested of a cell."""
    float_row = cell.bits is None
    return Job(
        cell=cell,
        store=store.root.resolve(),
        fit=True,
        metrics=request.float_metrics if float_row else request.metrics,
        latency=() if float_row else request.latency,
        validation_metrics=request.metrics,
        validate_every=request.validate_every,
        device=request.device,
        threads=request.threads,
        data_root=request.data_root,
        weights=request.weights.get(cell.weights.sha256 or ""),
        plugins=request.plugins,
        keep_model=request.keep_model,
    )


def _left(job: Job, results: CellResults) -> Job:
    """Return the part of a job that the results do not have."""
    # A fit without a model that is now wanted, or from before arithmetic was pinned, is made again
    # with all that is measured of it.
    model_missing = job.keep_model and not _has_model(results)
    fit = not results.fitted or model_missing or not _is_current(results)
    if fit:
        results = CellResults(job.cell.fit_id)
    have = results.metrics()
    entries = [entry for record in results.latencies for entry in record.entries]
    measured = {
        entry.setting
        for entry in entries
        if entry.resampled_from is None and not entry.includes_encoding
    }
    return replace(
        job,
        fit=fit,
        metrics=tuple(name for name in job.metrics if name not in have),
        latency=tuple(setting for setting in job.latency if setting not in measured),
    )


def _has_model(results: CellResults) -> bool:
    return results.fit is not None and has_model(results.fit)


def _is_current(results: CellResults) -> bool:
    """Whether the stored fit has the arithmetic that this machine would now compute it with."""
    fit = results.fit
    if fit is None or not can_pin() or not is_pinned(fit.cell):
        return True
    return fit.environment.arithmetic is not None and fit.environment.arithmetic.level == LEVEL


def _changed(cell: Cell, results: CellResults, registry: Registry) -> tuple[str, ...]:
    if results.fit is None or not results.fitted:
        return ()
    made_by = results.fit.sources
    present = source_digests(cell, registry)
    return tuple(name for name, sha in present.items() if made_by.get(name, sha) != sha)
