"""What the page shows of a job, read from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.jobs import Job
from hashbench.studio.jobs.run_figure import training_figure
from hashbench.studio.jobs.run_log import CellLog, RunLog, duration, read_run, words

_LOG_BYTES: Final = 4 * 2**20
_SHOWN_LINES: Final = 200
CELL_COLUMNS: Final = ("cell", "state", "epoch", "loss", "validation", "result", "seconds")


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, ready to be shown.

    Attributes:
        state: One line: where it stands, and what to do.
        command: The command line.
        progress: One line: cells, epoch, time still to go; empty for other commands than a run.
        figure: Its curves, if it has any.
        cells: Rows of `CELL_COLUMNS`.
        log: The last lines that are no events.
        mark: Differs when anything shown may differ.
    """

    state: str
    command: str
    progress: str
    figure: Figure | None
    cells: tuple[tuple[Any, ...], ...]
    log: str
    mark: str


def mark_of(job: Job) -> str:
    """What differs whenever the view of a job may differ, without reading its log."""
    try:
        size = (job.folder / "log").stat().st_size
    except OSError:
        size = 0
    return f"{job.id} {job.state} {job.began} {size}"


def view(job: Job) -> JobView:
    """Read a job's log and put it in words."""
    text = job.tail(_LOG_BYTES)
    run = read_run(text) if job.command.kind == "run" else RunLog()
    return JobView(
        state=state_line(job),
        command=job.command_line,
        progress=_progress(job, run),
        figure=training_figure(run),
        cells=tuple(_row(cell) for cell in reversed(run.cells.values())),
        log="\n".join(words(text)[-_SHOWN_LINES:]),
        mark=mark_of(job),
    )


def choices(folder: Path, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Jobs of some kinds for a menu, the newest first: what is read, and the id.

    Args:
        folder: The folder of all jobs.
        kinds: Which.
    """
    return [
        (
            f"{job.command.title} · {job.state} · {job.command.created[:16].replace('T', ' ')}",
            job.id,
        )
        for job in jobs.read_all(folder)
        if job.command.kind in kinds
    ]


def state_line(job: Job) -> str:
    """Where a job stands, and what to do."""
    told = "" if job.message == job.state else f": {job.message}"
    if job.state is jobs.JobState.RUNNING:
        return f"running for {duration(_age(job.began))}"
    return f"{job.state}{told}"


def _age(began: str | None) -> float:
    if began is None:
        return 0.0
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(began)).total_seconds())


def _progress(job: Job, run: RunLog) -> str:
    if job.command.kind != "run" or not (run.planned or run.cells):
        return ""
    failed = f", {len(run.failed)} failed" if run.failed else ""
    there = f", {run.there} were in the store already" if run.there else ""
    words = [f"{len(run.over)} of {run.to_do} cells done{failed}{there}"]
    if not job.state.over and run.current:
        words += [f"{run.current.label}: {run.current.doing}", f"about {duration(run.left)} left"]
    return "; ".join(words)


def _row(cell: CellLog) -> tuple[Any, ...]:
    last = cell.terms.get(cell.epoch, {})
    metrics = cell.validation[max(cell.validation)] if cell.validation else {}
    result = [f"{name.partition('/')[0]} {value:.4f}" for name, value in cell.metrics.items()]
    return (
        cell.label,
        f"{cell.state}: {cell.error}" if cell.error else cell.state,
        f"{cell.epoch}/{cell.epochs}" if cell.epochs else "",
        f"{last['total']:.4f}" if "total" in last else "",
        f"{next(iter(metrics.values())):.4f}" if metrics else "",
        ", ".join(result),
        f"{cell.took:.1f}" if cell.took is not None else "",
    )
