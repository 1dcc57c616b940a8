"""Run a fit again from its record alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashbench.core.canonical import digest_file
from hashbench.core.errors import ConfigError
from hashbench.core.job import Job
from hashbench.core.record import FitRecord
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.run.launchers.local import run_cells
from hashbench.run.plan import Planned, State
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store

_VALIDATION = "validation/"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Settings of a second run that its record does not hold.

    Attributes:
        device: ``cpu`` or ``cuda``.
        data_root: The folder of datasets.
        weights: File of the backbone's first weights.
        plugins: Plugin files, with absolute paths.
        timeout: Seconds that it may take, or None.
    """

    device: str = "cpu"
    data_root: Path | None = None
    weights: Path | None = None
    plugins: tuple[Path, ...] = ()
    timeout: float | None = None


class _Listener:
    """Reports the progress of the worker as text."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def started(self, planned: Planned, position: int, total: int) -> None:
        self._say(f"running {planned.cell} again")

    def heard(self, event: dict[str, Any]) -> None:
        if event["event"] == "phase":
            self._say(f"  {event['phase']}")

    def put_off(self, planned: Planned, why: str) -> None:
        self._say(f"  {why}")

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        self._say(f"  {seconds:.1f} s")


def check_options(fit: FitRecord, options: RunOptions) -> None:
    """Check that a fit can be run again, before anything is run.

    Raises:
        ConfigError: If the installed protocol is another one, or the weights are missing or others.
    """
    data, weights = fit.cell.data, fit.cell.weights
    installed = load_protocol(data.protocol).sha256
    if installed != data.protocol_sha256:
        raise ConfigError(
            f"record {fit.record_id}: made with {data.protocol} of SHA-256 "
            f"{data.protocol_sha256[:12]}…, this installation's is {installed[:12]}…; install "
            f"hashbench {fit.environment.hashbench} ({fit.environment.commit or 'commit unknown'})"
        )
    if weights.sha256 is None:
        return
    if options.weights is None:
        raise ConfigError(
            f"record {fit.record_id}: starts from a weights file of SHA-256 {weights.sha256}; "
            f"name it with --weights FILE"
        )
    if not options.weights.is_file() or digest_file(options.weights) != weights.sha256:
        raise ConfigError(
            f"--weights {options.weights}: not the file of SHA-256 {weights.sha256} that record "
            f"{fit.record_id} starts from"
        )


def job_of(fit: FitRecord, store: Store, *, metrics: Sequence[str], options: RunOptions) -> Job:
    """The job that made a fit, for another store; it is built without the matrix."""
    epochs = [
        entry["epoch"]
        for entry in fit.history
        if "epoch" in entry and any(key.startswith(_VALIDATION) for key in entry)
    ]
    validated = {key for entry in fit.history for key in entry if key.startswith(_VALIDATION)}
    return Job(
        cell=fit.cell,
        store=store.root.resolve(),
        fit=True,
        metrics=tuple(metrics),
        validation_metrics=tuple(sorted(key.removeprefix(_VALIDATION) for key in validated)),
        validate_every=int(epochs[0]) if epochs else 0,
        device=options.device,
        threads=fit.environment.threads,
        data_root=options.data_root,
        weights=options.weights,
        plugins=options.plugins,
    )


def run_again(
    fit: FitRecord,
    store: Store,
    *,
    metrics: Sequence[str],
    options: RunOptions,
    say: Callable[[str], None] = lambda _: None,
) -> CellResults:
    """Run a fit again in a worker process, as in the first run.

    Args:
        fit: The fit; see `check_options`.
        store: An empty store for the results.
        metrics: Full names of the metrics to compute.
        options: Settings that the record does not hold.
        say: Called with lines about progress.

    Returns:
        The results; a failure is in the status of their fit.

    Raises:
        StoreError: If the store cannot be written.
    """
    job = job_of(fit, store, metrics=metrics, options=options)
    planned = Planned(fit.cell, State.MISSING, CellResults(fit.cell.fit_id), job)
    (found,) = run_cells([planned], store, timeout=options.timeout, observer=_Listener(say))
    return found
