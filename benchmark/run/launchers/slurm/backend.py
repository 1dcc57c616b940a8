"""The Slurm backend: what `hashbench run --backend slurm` and `hashbench doctor` call."""

from __future__ import annotations

from collections.abc import Sequence

from hashbench.core.errors import ConfigError
from hashbench.run.campaign import Campaign
from hashbench.run.launchers.slurm.arrays import Submitter
from hashbench.run.launchers.slurm.launcher import SlurmLauncher
from hashbench.run.launchers.slurm.ledger import Ledger
from hashbench.run.launchers.slurm.programs import SlurmError, cancel, cluster_name
from hashbench.run.launchers.slurm.submission_lock import find_submitted, only_submitter
from hashbench.run.launchers.slurm.survey import examine
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import Observer, RunOptions
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

__all__ = ["cancel_cells", "check", "examine", "run_cells"]


def check() -> None:
    """Check that Slurm can be used from this machine.

    Raises:
        ConfigError: If it cannot.
    """
    cluster_name()


def run_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, options: RunOptions
) -> list[CellResults]:
    """Run cells as Slurm jobs; those of an earlier run that have not ended are followed again.

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
    requirements = NodeRequirements.collect(plugins, copies=ledger.jobs.parent / "plugins")
    submitter = Submitter(ledger, options, cluster, requirements)
    launcher = SlurmLauncher(store, submitter, observer, total=len(planned))
    Campaign(ours, store, launcher, observer=observer, options=options).run()
    with only_submitter(store, options.lease_period, observer, planned[0]):
        ledger.tidy()
    return [read_cell(store, item.cell.fit_id) for item in planned]


def cancel_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, options: RunOptions
) -> list[CellResults]:
    """Cancel the jobs of cells; what had begun is recorded as interrupted.

    Raises:
        ConfigError: If Slurm does not answer.
        StoreError: If the store cannot be written any more.
    """
    cluster, ledger = cluster_name(), Ledger(store)
    ours = [item for item in planned if not _elsewhere(item, ledger, cluster, observer)]
    found = {}
    if ours:
        with only_submitter(store, options.lease_period, observer, ours[0]):
            found = find_submitted(ours, ledger)
    try:
        cancel([each.job_id for each in found.values()])
    except SlurmError as error:
        raise ConfigError(f"--cancel: Slurm does not answer: {error}; try again") from None
    ours = [item for item in ours if item.cell.fit_id in found]
    submitter = Submitter(ledger, options, cluster, NodeRequirements())
    launcher = SlurmLauncher(store, submitter, observer, cancelled=found)
    Campaign(ours, store, launcher, observer=observer, options=options).run()
    return [read_cell(store, item.cell.fit_id) for item in planned]


def _elsewhere(item: Planned, ledger: Ledger, cluster: str, observer: Observer) -> bool:
    """Whether another cluster that shares the store has a cell; its jobs are not seen here."""
    found = ledger.find(item.cell.fit_id)
    if found is None or not found.array.job_id or found.array.cluster == cluster:
        return False
    observer.put_off(item, f"{found} has it: run this there, or cancel it there with --cancel")
    return True
