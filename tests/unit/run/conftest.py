"""Cells, plans and stand-ins for the worker that start in no time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.core.job import Job
from hashbench.run.plan import Planned, State
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store


@pytest.fixture
def cell() -> Cell:
    """Return a shallow cell."""
    data = DataChoice("digits", 1, "digits@1", "0" * 64, image_size=8)
    return Cell(data, bits=8, seed=0, method=Component("lsh", 1))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.create(tmp_path / "store")


@pytest.fixture
def planned(cell: Cell, store: Store) -> Callable[[], Planned]:
    """Return a maker of the plan to fit the cell, from what the store has now."""

    def make() -> Planned:
        results: CellResults = read_cell(store, cell.fit_id)
        job = Job(cell, store.root, fit=not results.fitted, metrics=("map@all",))
        return Planned(cell, State.MISSING, results, job)

    return make


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a script in the worker's place; it may use ``say(event)`` and ``job``."""

    def put(script: str) -> None:
        file = tmp_path / "worker.py"
        file.write_text(
            "import json, os, signal, subprocess, sys, time\n"
            "job, pipe = sys.argv[1], int(sys.argv[2])\n"
            "def say(**event): os.write(pipe, json.dumps(event).encode() + b'\\n')\n" + script
        )
        command = (sys.executable, "-S", "-E", str(file))
        monkeypatch.setattr("hashbench.run.process.COMMAND", command)

    return put


class Heard:
    """An observer that keeps what it is told.

    Attributes:
        events: Of all workers.
        results: Of all cells.
        put_offs: Why cells were put off.
        interrupt_at: The event's name at which the user presses Ctrl-C.
    """

    def __init__(self, interrupt_at: str = "") -> None:
        self.events: list[dict[str, Any]] = []
        self.results: list[CellResults] = []
        self.put_offs: list[str] = []
        self.interrupt_at = interrupt_at

    def started(self, planned: Planned, position: int, total: int) -> None:
        """Note nothing."""

    def heard(self, event: dict[str, Any]) -> None:
        """Note an event."""
        self.events.append(event)
        if event["event"] == self.interrupt_at:
            raise KeyboardInterrupt

    def put_off(self, planned: Planned, why: str) -> None:
        """Note why a cell waits."""
        self.put_offs.append(why)

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """Note a result."""
        self.results.append(results)


@pytest.fixture
def heard() -> type[Heard]:
    """Return the class of an observer that keeps what it is told."""
    return Heard
