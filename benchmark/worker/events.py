"""What a worker tells the process that started it, as JSON lines on a pipe."""

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
    """Writes events; silent without a descriptor.

    A worker whose parent is gone ends at its next event: nobody would record its end, and a new run
    would do the same work beside it. An epoch's checkpoint is written before its event.

    Attributes:
        descriptor: The pipe's file descriptor, or None.
        stop: Set when the worker shall end at its next step, or None.
    """

    descriptor: int | None
    stop: threading.Event | None = None

    def stopping(self) -> bool:
        """Whether the worker shall end at its next step."""
        return self.stop is not None and self.stop.is_set()

    def phase(self, name: str) -> None:
        """A phase of the cell begins.

        Raises:
            SystemExit: If the parent is gone.
        """
        self._send({"event": "phase", "phase": name})

    def epoch(self, event: EpochEvent) -> None:
        """An epoch is done.

        Raises:
            SystemExit: If the parent is gone.
        """
        self._send({"event": "epoch", **asdict(event)})

    def validation(self, values: Mapping[str, float]) -> None:
        """Codes of the validation part were evaluated; the epoch's event follows.

        Raises:
            SystemExit: If the parent is gone.
        """
        self._send({"event": "validation", "values": dict(values)})

    def store_error(self, error: StoreError) -> None:
        """The store cannot be written; the run as a whole cannot go on."""
        code = int(error.exit_code)
        self._send({"event": "store-error", "message": str(error), "code": code})

    def _send(self, event: Mapping[str, Any]) -> None:
        if self.descriptor is None:
            return
        try:
            os.write(self.descriptor, json.dumps(event).encode() + b"\n")
        except BrokenPipeError:
            sys.exit(ExitCode.INTERRUPTED)
