"""Estimate the time left of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

_MINUTE = 60
_HOUR = 3600


class Eta:
    """Estimates from stored cells like them, corrected by the cells of this run.

    Args:
        seconds: Estimated seconds by the id of the cell, where known.
        slots: Cells beside each other.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None, *, slots: int = 1) -> None:
        self._seconds = dict(seconds or {})
        self._slots = slots
        self._total = 0
        self._begun: set[str] = set()
        self._running: dict[str, tuple[float, float]] = {}
        self._took: dict[str, float] = {}

    def started(self, fit_id: str, total: int) -> None:
        """A cell's process was launched."""
        self._total = total
        self._begun.add(fit_id)
        self._running[fit_id] = (time.perf_counter(), 0.0)

    def advanced(self, fit_id: str, share: float) -> None:
        """A share of a cell's training is done, from 0 to 1."""
        if fit_id in self._running:
            self._running[fit_id] = (self._running[fit_id][0], share)

    def put_off(self, fit_id: str) -> None:
        """A cell's process ended and another will follow."""
        self._running.pop(fit_id, None)
        self._begun.discard(fit_id)

    def finished(self, fit_id: str, seconds: float) -> None:
        """A cell is done or has failed."""
        self._running.pop(fit_id, None)
        self._begun.add(fit_id)
        self._took[fit_id] = seconds

    @property
    def left(self) -> float | None:
        """The estimated seconds left; None if unknown."""
        usual = self._usual()
        waiting = [s for name, s in self._seconds.items() if name not in self._begun]
        unknown = max(0, self._total - len(self._begun) - len(waiting))
        running = [self._rest(name, usual) for name in self._running]
        if (unknown and usual is None) or None in running:
            return None
        rest = sum(waiting) * self._correction() + unknown * (usual or 0.0)
        rest += sum(each for each in running if each is not None)
        return rest / max(1, min(self._slots, unknown + len(waiting) + len(running)))

    def _rest(self, fit_id: str, usual: float | None) -> float | None:
        began, share = self._running[fit_id]
        spent = time.perf_counter() - began
        if share:
            return spent / share * (1 - share)
        known = self._seconds.get(fit_id)
        expected = usual if known is None else known * self._correction()
        return None if expected is None else max(0.0, expected - spent)

    def _usual(self) -> float | None:
        # The first cell on a frozen backbone may take an hour and leave features for the others.
        return median(self._took.values()) if self._took else None

    def _correction(self) -> float:
        """Return the ratio of time taken to time estimated: starting a process, other load."""
        both = [(took, self._seconds.get(name, 0.0)) for name, took in self._took.items()]
        # A median: one cell with a bad estimate must not change those of all others.
        return median([1.0, *(took / estimate for took, estimate in both if estimate)])


def duration(seconds: float | None) -> str:
    """Format seconds as ``40 s``, ``2.5 min``, ``3.1 h`` or ``?``."""
    if seconds is None:
        return "?"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"
