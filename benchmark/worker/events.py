"""What a worker tells the process that started it, as JSON lines on a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hashbench.methods.interface import EpochEvent


@dataclass(frozen=True, slots=True)
class Events:
    """Writes events; silent where there is nobody to read them.

    Attributes:
        descriptor: The pipe's file descriptor, or None.
    """

    descriptor: int | None

    def phase(self, name: str) -> None:
        """A phase of the cell begins."""
        self._send({"event": "phase", "phase": name})

    def epoch(self, event: EpochEvent) -> None:
        """An epoch is done."""
        self._send({"event": "epoch", **asdict(event)})

    def store_error(self, message: str) -> None:
        """The store cannot be written; the run as a whole cannot go on."""
        self._send({"event": "store-error", "message": message})

    def _send(self, event: Mapping[str, Any]) -> None:
        if self.descriptor is None:
            return
        try:
            os.write(self.descriptor, json.dumps(event).encode() + b"\n")
        except OSError:
            # Nobody listens any more; the record is what counts.
            return
