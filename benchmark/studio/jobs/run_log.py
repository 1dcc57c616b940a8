"""What the JSON lines of a run's log say: cells, loss terms, validation, the time still to go."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

_MINUTE: Final = 60
_HOUR: Final = 3600


@dataclass(slots=True)
class CellLog:
    """One cell of a run.

    Attributes:
        label: What it is.
        state: ``running``, ``waiting`` or how it ended.
        doing: What its worker said last that it does.
        epoch: Epochs done.
        epochs: Epochs in all; 0 before the first is done.
        terms: Every epoch's loss terms, by epoch.
        validation: Validation metrics by epoch.
        seconds: Of each epoch.
        took: Seconds of the whole cell, once it is over.
        metrics: Its results.
        error: Why it failed; empty if it has not.
    """

    label: str
    state: str = "running"
    doing: str = "starting"
    epoch: int = 0
    epochs: int = 0
    terms: dict[int, dict[str, float]] = field(default_factory=dict)
    validation: dict[int, dict[str, float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    took: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    error: str = ""
    _validated: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float | None:
        """Seconds its training may still take; None while nothing is known."""
        if not self.seconds:
            return None
        return median(self.seconds) * (self.epochs - self.epoch)

    def hear(self, event: dict[str, Any]) -> None:
        """Take in one event about it."""
        match event.get("event"):
            case "phase":
                self.doing = str(event.get("phase", ""))
            case "validation":
                self._validated = dict(event["values"])
            case "epoch":
                self._epoch(event)
            case "put-off":
                self.state, self.doing = "waiting", str(event.get("why", ""))
            case "finished":
                self.state, self.took = str(event["status"]), float(event["seconds"])
                self.metrics, self.error = dict(event["metrics"]), str(event["error"] or "")

    def _epoch(self, event: dict[str, Any]) -> None:
        self.epoch, self.epochs = int(event["epoch"]), int(event["epochs"])
        self.doing = f"epoch {self.epoch} of {self.epochs}"
        self.terms[self.epoch] = {k: float(v) for k, v in event["terms"].items()}
        self.seconds.append(float(event["seconds"]))
        if self._validated:
            self.validation[self.epoch], self._validated = self._validated, {}


@dataclass(slots=True)
class RunLog:
    """A run as its log tells it.

    Attributes:
        planned: Cells that its matrix stands for.
        there: Cells among them that the store had already.
        cells: Those that were begun, by fit id, in that order.
        to_do: Cells that were to be run.
    """

    planned: int = 0
    there: int = 0
    cells: dict[str, CellLog] = field(default_factory=dict)
    to_do: int = 0

    @property
    def over(self) -> list[CellLog]:
        """Cells that are done or have failed."""
        return [cell for cell in self.cells.values() if cell.took is not None]

    @property
    def failed(self) -> list[CellLog]:
        """Cells that have failed."""
        return [cell for cell in self.over if cell.error]

    @property
    def current(self) -> CellLog | None:
        """The newest cell that is not over; None without any."""
        open_cells = [cell for cell in self.cells.values() if cell.took is None]
        return open_cells[-1] if open_cells else None

    @property
    def left(self) -> float | None:
        """Seconds the run may still take, judged by its own epochs and cells."""
        took = [cell.took for cell in self.over if cell.took is not None]
        running = [cell for cell in self.cells.values() if cell.state == "running"]
        rest = [cell.left for cell in running]
        whole = [*took, *(sum(c.seconds) / c.epoch * c.epochs for c in running if c.epoch)]
        waiting = max(0, self.to_do - len(self.over) - len(running))
        known = [each for each in rest if each is not None]
        if len(known) < len(rest) or (waiting and not whole) or not (rest or waiting):
            return None
        return sum(known) + (waiting * median(whole) if waiting else 0.0)

    def hear(self, event: dict[str, Any]) -> None:
        """Take in one event; what is not understood is passed over."""
        name, about = str(event.get("cell", "")), event.get("event")
        if about == "plan":
            states = event["states"]
            self.planned, self.there = int(event["cells"]), int(states.get("done", 0))
            self.to_do = self.planned - self.there
        elif about == "started":
            known = self.cells.pop(name, None)
            self.cells[name] = known or CellLog(str(event.get("label", name)))
            self.cells[name].state, self.cells[name].took = "running", None
            self.cells[name].error = ""
            self.to_do = max(self.to_do, int(event.get("total", 0)))
        elif name in self.cells:
            self.cells[name].hear(event)


def read_run(text: str) -> RunLog:
    """Read a run's log.

    Args:
        text: Its output: JSON lines, and others, which are passed over.
    """
    found = RunLog()
    for event in events(text.splitlines()):
        try:
            found.hear(event)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return found


def events(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """The events among lines of text."""
    for line in lines:
        if not line.startswith("{"):
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and "event" in event:
            yield event


def words(text: str) -> list[str]:
    """The lines of a log that are no events."""
    return [line for line in text.splitlines() if not line.startswith("{")]


def duration(seconds: float | None) -> str:
    """``40 s``, ``2.5 min``, ``3.1 h`` or ``not known yet``."""
    if seconds is None:
        return "not known yet"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"
