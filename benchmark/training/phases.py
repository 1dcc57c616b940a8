"""Clocks that add up time by phase of a cell, and by part of a training step."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


class PhaseClock:
    """Adds up wall seconds by phase name; on CUDA, each end waits for running work."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time a block under a phase's name."""
        start = self._now()
        try:
            yield
        finally:
            self.add({phase: self._now() - start})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add seconds that were measured elsewhere, by phase name."""
        for phase, value in seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + value

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


class StepClock:
    """Adds up seconds by part of a step without ever waiting for the device.

    On a CUDA device the ends of the parts are marked by events in its stream, which are read later;
    on a CPU the clock is read.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._last: Any = None
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._marks: list[tuple[str, Any, Any]] = []

    def start(self) -> None:
        """Begin a step."""
        self._last = self._mark()

    def lap(self, part: str) -> None:
        """Add the time since the last call to a part."""
        now = self._mark()
        if self._cuda:
            self._marks.append((part, self._last, now))
        else:
            self._seconds[part] += now - self._last
        self._last = now

    def restore(self, seconds: Mapping[str, float]) -> None:
        """Continue from the seconds that `read` returned before an interruption."""
        self._seconds = defaultdict(float, seconds)

    def read(self) -> dict[str, float]:
        """Return seconds by part so far; waits for the device, so do not call within an epoch."""
        if self._marks:
            self._marks[-1][2].synchronize()
        for part, begin, end in self._marks:
            self._seconds[part] += begin.elapsed_time(end) / 1e3
        self._marks.clear()
        return dict(self._seconds)

    def _mark(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch
        event.record()
        return event
