"""The events of a cell as JSON lines in a file of the store: written on a node, read by the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any, Self

from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults

STARTED, PUT_OFF, FINISHED = "started", "put-off", "finished"
"""Events of a launcher or node, beside those of the worker."""


class EventWriter:
    """An observer on a node that writes events to a file."""

    def __init__(self, file: Path, fit_id: str) -> None:
        self._file, self._fit_id = file, fit_id
        self._opened: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._opened = self._file.open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()

    def started(self, planned: Planned, position: int, total: int) -> None:
        """The cell's process was launched."""
        del planned, position, total
        self.heard({"event": STARTED})

    def heard(self, event: dict[str, Any]) -> None:
        """The worker reported an event."""
        if self._opened is not None:
            line = json.dumps({"cell": self._fit_id, **event}).encode() + b"\n"
            self._opened.write(line)

    def put_off(self, planned: Planned, why: str) -> None:
        """The cell is tried again, or waits for another run."""
        del planned
        self.heard({"event": PUT_OFF, "why": why})

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """The cell is done or has failed."""
        del planned, results
        self.heard({"event": FINISHED, "seconds": seconds})


class EventReader:
    """Follows such a file from its beginning, whole lines at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the events written since the last call; none while the file cannot be read."""
        try:
            # Opened anew each time: that is what makes a network's file system look again.
            with self._file.open("rb") as opened:
                opened.seek(self._at)
                whole, end, _ = opened.read().rpartition(b"\n")
        except OSError:
            return []
        self._at += len(whole) + len(end)
        return [event for line in whole.splitlines() if (event := _parsed(line))]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Parse an event; return None for a line that a node left when it died while writing."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
