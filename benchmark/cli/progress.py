"""Progress of a run: a live line on a terminal, one line a cell elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from hashbench.core.record import Status
from hashbench.evaluation.names import parse_metric
from hashbench.execute.plan import Planned
from hashbench.store.catalogue import CellResults

_MINUTE = 60
_HOUR = 3600


class RunProgress:
    """Tells the user of each cell's end, with the time still to go.

    Args:
        console: Where to print.
        bar: The live display, on a terminal.
    """

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console = console
        self._bar = bar
        self._task: TaskID | None = None
        self._began = time.perf_counter()
        self._position = 0
        self._total = 0

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        self._position, self._total = position, total
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total, phase="")
        self._bar.update(
            self._task, completed=position - 1, description=f"{planned.cell}", phase=""
        )

    def heard(self, event: dict[str, Any]) -> None:
        """The running worker said something."""
        if self._bar is None or self._task is None:
            return
        if event["event"] == "epoch":
            done = self._position - 1 + event["epoch"] / event["epochs"]
            self._bar.update(self._task, completed=done, phase=_epoch_text(event, self._eta(done)))
        elif event["event"] == "phase":
            self._bar.update(self._task, phase=event["phase"])

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell's process ended; its results are in the store."""
        left = self._eta(self._position)
        head = f"[{self._position}/{self._total}] {planned.cell}"
        line = f"{head}: {_outcome(results)}  {seconds:.1f} s"
        if self._position < self._total:
            line += f"  (about {left} left)"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _eta(self, done: float) -> str:
        if not done:
            return "?"
        spent = time.perf_counter() - self._began
        return _duration(spent / done * (self._total - done))


def _epoch_text(event: dict[str, Any], left: str) -> str:
    loss = event["terms"].get("total", float("nan"))
    rate = event["images"] / event["seconds"] if event["seconds"] else 0
    return (
        f"epoch {event['epoch']}/{event['epochs']}  loss {loss:.4f}  {rate:,.0f} img/s  "
        f"about {left} left"
    )


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"


def _outcome(results: CellResults) -> str:
    fit = results.fit
    if fit is None:
        return "no record"
    if fit.status is not Status.OK:
        message = fit.error.message.partition("\n")[0] if fit.error else ""
        return f"{fit.status}: {message}"
    if results.failures:
        error = results.failures[-1].error
        return f"{results.failures[-1].kind} {results.failures[-1].status}: " + (
            error.message.partition("\n")[0] if error else ""
        )
    metrics = results.metrics()
    if not metrics:
        return "ok"
    name = min(metrics, key=lambda each: parse_metric(each).reading_order)
    return f"ok  {name.partition('/')[0]} {metrics[name][0].value:.4f}"


@contextmanager
def observer() -> Iterator[RunProgress]:
    """A `RunProgress` that fits where standard output goes."""
    console = Console()
    if not console.is_terminal:
        yield RunProgress(console, None)
        return
    bar = Progress(
        SpinnerColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.description}  {task.fields[phase]}", markup=False),
        console=console,
        transient=True,
    )
    with bar:
        yield RunProgress(console, bar)
