"""Submit cells to Slurm as job arrays, through submitit."""

from __future__ import annotations

import contextlib
import io
import math
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashbench.core.clusters import SlurmSettings
from hashbench.core.job import Job, Request
from hashbench.run.launchers.slurm.job import SlurmCell
from hashbench.run.launchers.slurm.ledger import Array, Ledger, Submitted
from hashbench.run.launchers.slurm.programs import SlurmError
from hashbench.run.launchers.slurm.queue import job_id_of
from hashbench.run.node import Assignment
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import RunOptions
from hashbench.run.plan import Planned

_MINUTE = 60
_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Makes job arrays of cells."""

    ledger: Ledger
    options: RunOptions
    cluster: str
    requirements: NodeRequirements

    def submit(self, items: Sequence[Planned]) -> list[Submitted]:
        """Submit one array of cells that ask for the same resources.

        Raises:
            SlurmError: If Slurm refuses it; the ledger then has nothing of it.
            StoreError: If the ledger cannot be written.
        """
        array = Array.new(len(items), self.cluster)
        with _undisturbed():
            submitted = self.ledger.open(array, [item.cell for item in items])
            try:
                array = replace(array, job_id=self._submit(array, items))
            except SlurmError:
                for item in items:
                    self.ledger.forget(item.cell.fit_id)
                raise
            self.ledger.note(array)
        return [replace(each, array=array) for each in submitted]

    def _submit(self, array: Array, items: Sequence[Planned]) -> str:
        """Return the id that Slurm gives the array."""
        from submitit import SlurmExecutor  # by name: submitit's own choice may be another
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        settings = settings_of(items[0], self.options.request)
        self.ledger.jobs.mkdir(parents=True, exist_ok=True)
        executor = SlurmExecutor(self.ledger.jobs, max_num_timeout=settings.requeues)
        executor.update_parameters(
            job_name=array.name, **parameters(settings, items[0].job, self.options.request)
        )
        try:
            # It prints the output of sbatch, which is in the error, too.
            with contextlib.redirect_stderr(io.StringIO()), executor.batch():
                jobs = [executor.submit(self._cell(item, array, settings)) for item in items]
        except (FailedJobError, FailedSubmissionError) as error:
            known = job_id_of(array.name)  # sbatch may have died after Slurm had taken it
            if known is None:
                raise SlurmError(_refusal(str(error))) from None
            return known
        return str(jobs[0].job_id).partition("_")[0]

    def _cell(self, item: Planned, array: Array, settings: SlurmSettings) -> SlurmCell:
        request = self.options.request
        job = replace(item.job, threads=_threads(settings, item.job, request))
        events = self.ledger.events(array, item.cell.fit_id)
        item = replace(item, job=job)
        assignment = Assignment.of(
            item, self.options, events=events, requirements=self.requirements
        )
        return SlurmCell(assignment, settings.time)


def _refusal(said: str) -> str:
    """Return the reason in the output of sbatch."""
    lines = said.strip().splitlines() or ["sbatch failed"]
    return lines[-1].removeprefix("sbatch: error: ").removeprefix("Batch job submission failed: ")


def in_arrays(items: Sequence[Planned], request: Request | None) -> list[list[Planned]]:
    """Group cells by the resources they ask for, in chunks, each in the order given."""
    alike: dict[SlurmSettings, list[Planned]] = {}
    for item in items:
        alike.setdefault(settings_of(item, request), []).append(item)
    return [
        cells[start : start + settings.chunk]
        for settings, cells in alike.items()
        for start in range(0, len(cells), settings.chunk)
    ]


def settings_of(item: Planned, request: Request | None) -> SlurmSettings:
    """Return the resources that a cell asks for."""
    return (request.slurm if request else {}).get(item.cell.fit_id, SlurmSettings())


def parameters(settings: SlurmSettings, job: Job, request: Request | None) -> dict[str, Any]:
    """Return the resources of a cell as parameters of submitit."""
    gpus = settings.gpus or ("0" if job.device == "cpu" else "1")
    wanted = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
        "gpus_per_node": None if gpus == "0" else gpus,
        "cpus_per_task": _cores(settings, job, request),
        "mem": settings.mem,
        "setup": list(settings.setup) or None,
    }
    return {key: value for key, value in wanted.items() if value is not None} | {
        "time": math.ceil(settings.time / _MINUTE),
        "signal_delay_s": math.ceil(min(settings.notice, settings.time / 4)),
        "array_parallelism": settings.parallel,
        "stderr_to_stdout": True,
        "wckey": None,
        # Also where a cluster does not queue jobs again unless they say so.
        "additional_parameters": {
            "requeue": True,
            **{key: value or True for key, value in settings.options.items()},
        },
    }


def _cores(settings: SlurmSettings, job: Job, request: Request | None) -> int:
    return settings.cpus or (1 if request and request.all_cores else job.threads)


def _threads(settings: SlurmSettings, job: Job, request: Request | None) -> int:
    """Return the threads of a cell; ``auto`` means the cores of its node."""
    every = request is not None and request.all_cores
    return _cores(settings, job, request) if every else job.threads


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and the like until an array is in the ledger."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _DEFERRED}
    for number in _DEFERRED:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
