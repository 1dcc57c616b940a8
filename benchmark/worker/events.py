"""Events that a worker sends to the process that started it: JSON lines on a pipe."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hashbench.core.errors import ExitCode, StoreError
from hashbench.methods.interface import EpochEvent


@dataclass(frozen=True, slots=True)
class Events:
    """Writes events to a pipe; without a descriptor, nothing is written.

    A worker whose parent is gone exits at its next event: nobody would record its end, and a new
    run would do the same work beside it. The checkpoint of an epoch is written before its event.

    Attributes:
        stop: Set when the worker shall exit before its next training step.
    """

    descriptor: int | None
    stop: threading.Event | None = None

    def stopping(self) -> bool:
        """Whether the worker shall exit before its next training step."""
        return self.stop is not None and self.stop.is_set()

    def phase(self, name: str) -> None:
        """Report that a phase of the cell begins."""
        self._send({"event": "phase", "phase": name})

    def epoch(self, event: EpochEvent) -> None:
        """Report that an epoch has ended."""
        self._send({"event": "epoch", **asdict(event)})

    def validation(self, values: Mapping[str, float]) -> None:
        """Report validation metrics; the event of the epoch follows."""
        self._send({"event": "validation", "values": dict(values)})

    def store_error(self, error: StoreError) -> None:
        """Report that the store cannot be written, so that the whole run has to end."""
        code = int(error.exit_code)
        self._send({"event": "store-error", "message": str(error), "code": code})

    def _send(self, event: Mapping[str, Any]) -> None:
        """Write an event.

        Raises:
            SystemExit: If the parent is gone.
        """
        if self.descriptor is None:
            return
        try:
            os.write(self.descriptor, json.dumps(event).encode() + b"\n")
        except BrokenPipeError:
            sys.exit(ExitCode.INTERRUPTED)
