"""A fit made once more, from its record alone."""

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
from hashbench.run.local import run_cells
from hashbench.run.plan import Planned, State
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store

_VALIDATION = "validation/"


@dataclass(frozen=True, slots=True)
class Means:
    """What a second run needs that a record does not hold.

    Attributes:
        device: ``cpu`` or ``cuda``.
        data_root: Where datasets are looked for.
        weights: File of the backbone's first weights.
        plugins: Plugin files, resolved.
        timeout: Seconds it may take, or None.
    """

    device: str = "cpu"
    data_root: Path | None = None
    weights: Path | None = None
    plugins: tuple[Path, ...] = ()
    timeout: float | None = None


class _Listener:
    """Passes on what the worker says."""

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


def check_means(fit: FitRecord, means: Means) -> None:
    """See that a fit can be made again here, before anything is run.

    Args:
        fit: The fit.
        means: What there is.

    Raises:
        ConfigError: If the installed protocol is another one, or the weights are not there or not
            the same.
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
    if means.weights is None:
        raise ConfigError(
            f"record {fit.record_id}: starts from a weights file of SHA-256 {weights.sha256}; "
            f"name it with --weights FILE"
        )
    if not means.weights.is_file() or digest_file(means.weights) != weights.sha256:
        raise ConfigError(
            f"--weights {means.weights}: not the file of SHA-256 {weights.sha256} that record "
            f"{fit.record_id} starts from"
        )


def job_of(fit: FitRecord, store: Store, *, metrics: Sequence[str], means: Means) -> Job:
    """The job that made a fit, for another store; nothing of it comes from a matrix."""
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
        device=means.device,
        threads=fit.environment.threads,
        data_root=means.data_root,
        weights=means.weights,
        plugins=means.plugins,
    )


def run_again(
    fit: FitRecord,
    store: Store,
    *,
    metrics: Sequence[str],
    means: Means,
    say: Callable[[str], None] = lambda _: None,
) -> CellResults:
    """Make a fit again, in a worker's process as the first.

    Args:
        fit: The fit; see `check_means`.
        store: An empty store for what comes of it.
        metrics: Full names of what to compute of its codes.
        means: What the record does not hold.
        say: Hears of progress, a line at a time.

    Returns:
        What came of it; a failure is in its fit's status.

    Raises:
        StoreError: If the store cannot be written.
    """
    job = job_of(fit, store, metrics=metrics, means=means)
    planned = Planned(fit.cell, State.MISSING, CellResults(fit.cell.fit_id), job)
    (found,) = run_cells([planned], store, timeout=means.timeout, observer=_Listener(say))
    return found
