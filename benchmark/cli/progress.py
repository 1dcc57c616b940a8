"""Progress of a run: a live table on a terminal, one line a cell elsewhere, or JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hashbench.cli.eta import Eta, duration
from hashbench.core.record import Status
from hashbench.evaluation.names import parse_metric
from hashbench.run.options import Observer
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults

_REFRESHES_A_SECOND = 4


@dataclass(slots=True)
class _Row:
    """A running cell."""

    label: str
    doing: str = "starting"
    began: float = field(default_factory=time.perf_counter)


class RunProgress:
    """Prints a line at each cell's end, with the estimated time left."""

    def __init__(self, console: Console, eta: Eta | None = None) -> None:
        self._console = console
        self._eta = eta or Eta()
        self._rows: dict[str, _Row] = {}
        self._total = 0
        self._done = 0
        self._failed = 0

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        del position
        self._total = total
        self._eta.started(planned.cell.fit_id, total)
        self._rows[planned.cell.fit_id] = _Row(str(planned.cell))

    def heard(self, event: dict[str, Any]) -> None:
        """A running worker reported an event."""
        row = self._rows.get(event.get("cell", ""))
        if row is None:
            return
        if event["event"] == "epoch":
            row.doing = _epoch_text(event)
            self._eta.advanced(event["cell"], event["epoch"] / event["epochs"])
        elif event["event"] == "phase":
            row.doing = event["phase"]

    def put_off(self, planned: Planned, why: str) -> None:
        """A cell is not done yet: its process ended and another will follow, or it waits."""
        self._rows.pop(planned.cell.fit_id, None)
        self._eta.put_off(planned.cell.fit_id)
        self._say(f"{planned.cell}: {why}")

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell is done or has failed; its results are in the store."""
        self._rows.pop(planned.cell.fit_id, None)
        self._eta.finished(planned.cell.fit_id, seconds)
        self._done += 1
        self._failed += not results.fitted or bool(results.failures)
        line = f"[{self._done}/{self._total or '?'}] {planned.cell}: {_outcome(results)}"
        line += f"  {seconds:.1f} s"
        if self._done < self._total:
            line += f"  ({_time_left(self._eta)})"
        self._say(line)

    def __rich__(self) -> Table:
        """A table of the running cells, with the time left."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        for row in self._rows.values():
            spent = duration(time.perf_counter() - row.began)
            table.add_row(Text(row.label), Text(row.doing), spent)
        failed = f", {self._failed} failed" if self._failed else ""
        summary = f"{self._done} of {self._total or '?'} done{failed}"
        table.add_row(Text(summary, "bold"), _time_left(self._eta), "")
        return table

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class JsonEvents:
    """Writes progress for another program: one JSON object a line on standard output."""

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        label = str(planned.cell)
        self.say("started", cell=planned.cell.fit_id, label=label, position=position, total=total)

    def heard(self, event: dict[str, Any]) -> None:
        """A running worker reported an event."""
        self.say(**event)

    def put_off(self, planned: Planned, why: str) -> None:
        """A cell is not done yet: its process ended and another will follow, or it waits."""
        self.say("put-off", cell=planned.cell.fit_id, why=why)

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell is done or has failed; its results are in the store."""
        fit = results.fit
        broken = [r for r in ([fit] if fit else []) + list(results.failures) if r.error]
        self.say(
            "finished",
            cell=planned.cell.fit_id,
            status=str(broken[-1].status if broken else Status.OK),
            error=broken[-1].error.message if broken and broken[-1].error else None,
            seconds=round(seconds, 3),
            metrics={name: entry.value for name, (entry, _) in results.metrics().items()},
        )

    @staticmethod
    def say(event: str, **about: Any) -> None:
        """Write one event."""
        click.echo(json.dumps({"event": event, **about}))


def _time_left(eta: Eta) -> str:
    return "time left: unknown" if eta.left is None else f"about {duration(eta.left)} left"


def _epoch_text(event: dict[str, Any]) -> str:
    loss = event["terms"].get("total", float("nan"))
    rate = event["images"] / event["seconds"] if event["seconds"] else 0
    return f"epoch {event['epoch']}/{event['epochs']}  loss {loss:.4f}  {rate:,.0f} img/s"


def _outcome(results: CellResults) -> str:
    fit = results.fit
    if fit is None:
        return "no record"
    if fit.status is not Status.OK:
        message = fit.error.message.partition("\n")[0] if fit.error else ""
        return f"{fit.status}: {message}"
    if results.failures:
        error = results.failures[-1].error
        message = error.message.partition("\n")[0] if error else ""
        return f"{results.failures[-1].kind} {results.failures[-1].status}: {message}"
    metrics = results.metrics()
    if not metrics:
        return "ok"
    name = min(metrics, key=lambda each: parse_metric(each).reading_order)
    return f"ok  {name.partition('/')[0]} {metrics[name][0].value:.4f}"


@contextmanager
def observer(eta: Eta, *, json_events: bool = False) -> Iterator[Observer]:
    """Make an observer for the kind of standard output: a terminal, a file, or a program."""
    console = Console()
    if json_events:
        yield JsonEvents()
    elif not console.is_terminal:
        yield RunProgress(console, eta)
    else:
        progress = RunProgress(console, eta)
        rate = _REFRESHES_A_SECOND
        with Live(progress, console=console, refresh_per_second=rate, transient=True):
            yield progress
