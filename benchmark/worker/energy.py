"""Energy of a fit: joules by part, from a sensor that is read where a part begins and ends."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

from hashbench.core.energy import Energy

_POWERCAP = Path("/sys/class/powercap")
_DRIVER_LIBRARY = "libnvidia-ml.so.1"


class Sensor(Protocol):
    """A counter of joules.

    Attributes:
        source: Name of the sensor in records.
        read_every: Seconds after which the counter may overflow unless it is read; None for never.
    """

    source: ClassVar[str]
    read_every: ClassVar[float | None]

    def joules(self) -> float:
        """Joules since a fixed moment.

        Raises:
            OSError: If the counter can no longer be read.
        """
        ...


class EnergyMeter:
    """Adds up joules by part of a fit; without a sensor it measures nothing."""

    def __init__(self, sensor: Sensor | None) -> None:
        self._sensor = sensor
        self._joules: dict[str, float] = {}
        self._reading = threading.Lock()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Measure a block as a part; a sensor that fails once is not read again."""
        over = threading.Event()
        before = self._read()
        if self._sensor and self._sensor.read_every:
            threading.Thread(target=self._read_regularly, args=(over,), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            after = self._read()
            if before is not None and after is not None:
                self._joules[part] = self._joules.get(part, 0.0) + after - before

    @property
    def energy(self) -> Energy | None:
        """The measured joules by part; None without a sensor, or if it failed."""
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

    def _read_regularly(self, over: threading.Event) -> None:
        while self._sensor and not over.wait(self._sensor.read_every):
            self._read()


class PackageCounters:
    """RAPL counters below ``/sys/class/powercap``: the sum over all processor packages.

    Raises:
        OSError: If one cannot be read; on most machines only root may.
    """

    source: ClassVar[str] = "rapl"
    read_every: ClassVar[float | None] = 60.0  # a counter overflows after 262 kJ, or less

    def __init__(self, packages: list[Path]) -> None:
        self._ranges = {folder: _microjoules(folder / "max_energy_range_uj") for folder in packages}
        self._seen = {folder: _microjoules(folder / "energy_uj") for folder in packages}
        self._total = 0

    def joules(self) -> float:
        """Joules since the object was made."""
        for folder, before in self._seen.items():
            now = _microjoules(folder / "energy_uj")
            self._total += now - before + (self._ranges[folder] if now < before else 0)
            self._seen[folder] = now
        return self._total / 1e6


class DeviceCounter:
    """NVML's energy counter of a whole CUDA device, named by its uuid (``GPU-5e5a…``).

    Raises:
        OSError: If the device has no counter: older than Volta, or a part of a device (MIG).
    """

    source: ClassVar[str] = "nvml"
    read_every: ClassVar[float | None] = None

    def __init__(self, library: Any, uuid: str) -> None:
        self._library = library
        self._device = ctypes.c_void_p()
        _check(library.nvmlInit_v2())
        _check(library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self._device)))
        self.joules()

    def joules(self) -> float:
        """Joules since the driver was loaded."""
        total = ctypes.c_ulonglong()  # in millijoules
        _check(self._library.nvmlDeviceGetTotalEnergyConsumption(self._device, ctypes.byref(total)))
        return total.value / 1e3


def find_sensor(device: torch.device, *, powercap: Path = _POWERCAP) -> Sensor | None:
    """Return the energy sensor of a device, or None if it has none that can be read."""
    try:
        if device.type == "cuda":
            uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
            return DeviceCounter(ctypes.CDLL(_DRIVER_LIBRARY), f"GPU-{uuid}")
        packages = [
            folder
            for folder in sorted(powercap.glob("*-rapl:*"))
            if (folder / "name").read_text().startswith("package")
        ]
        return PackageCounters(packages) if packages else None
    except (OSError, AttributeError, ValueError):
        return None


def _microjoules(file: Path) -> int:
    return int(file.read_text())


def _check(code: int) -> None:
    if code != 0:
        raise OSError(f"NVML returned error code {code}")
