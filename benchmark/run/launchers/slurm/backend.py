"""The Slurm backend: what `hashbench run --backend slurm` and `hashbench doctor` call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hashbench.core.errors import ConfigError
from hashbench.run.launchers.slurm.arrays import Submitter
from hashbench.run.launchers.slurm.attached import Attached
from hashbench.run.launchers.slurm.ledger import Ledger
from hashbench.run.launchers.slurm.programs import SlurmError, cancel, cluster_name
from hashbench.run.launchers.slurm.submission_lock import Desk, alone, find_handed
from hashbench.run.launchers.slurm.survey import examine
from hashbench.run.node_requirements import Luggage
from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

__all__ = ["cancel_cells", "check", "examine", "run_cells"]


def check() -> None:
    """See that Slurm can be used from here.

    Raises:
        ConfigError: If it cannot.
    """
    cluster_name()


def run_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, means: Means
) -> list[CellResults]:
    """Run cells as Slurm jobs; those of an earlier run that have not ended are watched again.

    Args:
        planned: Cells with something missing.
        store: Where records go, on a disk that the nodes share.
        observer: Hears of progress.
        means: Limits, retries, and what each cell asks for.

    Returns:
        What the store has of each cell afterwards, in the order given.

    Raises:
        ConfigError: If Slurm refuses what a cell asks for.
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C; the jobs go on.
    """
    if not planned:
        return []
    cluster, ledger = cluster_name(), Ledger(store)
    ours = [item for item in planned if not _elsewhere(item, ledger, cluster, observer)]
    plugins = {path for item in ours for path in item.job.plugins}
    luggage = Luggage.pack(plugins, copies=ledger.jobs.parent / "plugins")
    desk = Desk(store, Submitter(ledger, means, cluster, luggage), observer)
    run = Attached(ours, store, observer=observer, means=means, hand_over=desk)
    try:
        results = {found.fit_id: found for found in run.run()}
    except KeyboardInterrupt:
        if not run.jobs:
            raise
        raise KeyboardInterrupt(
            f"detached: {run.jobs} of {len(planned)} cells are with Slurm and go on. The same "
            f"command attaches again, with --cancel it cancels them; hashbench status shows how "
            f"they stand"
        ) from None
    with alone(store, means.lease_period, observer, planned[0]):
        ledger.tidy()
    ids = [item.cell.fit_id for item in planned]
    return [results.get(fit_id) or read_cell(store, fit_id) for fit_id in ids]


def cancel_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, means: Means
) -> list[CellResults]:
    """Cancel the jobs of cells; what had begun is recorded as interrupted.

    Args:
        planned: Cells, with Slurm or not.
        store: Where records go.
        observer: Hears of each end.
        means: How long a lease is silent.

    Returns:
        What the store has of each cell afterwards, in the order given.

    Raises:
        ConfigError: If Slurm does not answer.
        StoreError: If the store cannot be written any more.
    """
    cluster, ledger = cluster_name(), Ledger(store)
    ours = [item for item in planned if not _elsewhere(item, ledger, cluster, observer)]
    handed = {}
    if ours:
        with alone(store, means.lease_period, observer, ours[0]):
            handed = find_handed(ours, ledger)
    try:
        cancel([each.job_id for each in handed.values()])
    except SlurmError as error:
        raise ConfigError(f"--cancel: Slurm does not answer: {error}; try again") from None
    begun = [item for item in ours if item.cell.fit_id in handed]
    means = replace(means, retries={})
    Attached(begun, store, observer=observer, means=means, handed=handed).run()
    return [read_cell(store, item.cell.fit_id) for item in planned]


def _elsewhere(item: Planned, ledger: Ledger, cluster: str, observer: Observer) -> bool:
    """Whether a cell is with another cluster that shares the store; its jobs are not seen here."""
    handed = ledger.find(item.cell.fit_id)
    if handed is None or not handed.array.job_id or handed.array.cluster == cluster:
        return False
    observer.put_off(item, f"{handed} has it: run this there, or cancel it there with --cancel")
    return True
