"""The energy of a fit's parts, by a sensor that is read where they begin and end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hashbench.core.energy import Energy
from hashbench.worker.energy_sensors import Sensor


class EnergyMeter:
    """Adds up joules by part of a fit.

    Args:
        sensor: What tells them; None measures nothing.
    """

    def __init__(self, sensor: Sensor | None) -> None:
        self._sensor = sensor
        self._joules: dict[str, float] = {}
        self._reading = threading.Lock()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Measure a block as a part; a sensor that fails meanwhile is never asked again."""
        over = threading.Event()
        before = self._read()
        if self._sensor and self._sensor.look_every:
            threading.Thread(target=self._keep_count, args=(over,), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            after = self._read()
            if before is not None and after is not None:
                self._joules[part] = self._joules.get(part, 0.0) + after - before

    @property
    def energy(self) -> Energy | None:
        """What was measured; None without a sensor, or if it failed."""
        if self._sensor is None or not self._joules:
            return None
        return Energy(source=self._sensor.source, joules=dict(self._joules))

    def _read(self) -> float | None:
        with self._reading:
            try:
                return self._sensor.joules() if self._sensor else None
            except (OSError, ValueError):
                self._sensor = None
                return None

    def _keep_count(self, over: threading.Event) -> None:
        while self._sensor and not over.wait(self._sensor.look_every):
            self._read()
