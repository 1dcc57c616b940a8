"""Counters of energy that a machine has: of a CUDA device, or of the processor packages."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

_POWERCAP = Path("/sys/class/powercap")
_DRIVER_LIBRARY = "libnvidia-ml.so.1"


class Sensor(Protocol):
    """A counter of joules.

    Attributes:
        source: What a record calls it.
        look_every: Seconds after which it must be read again, or it loses count; None for never.
    """

    source: ClassVar[str]
    look_every: ClassVar[float | None]

    def joules(self) -> float:
        """Joules since some moment that stays the same.

        Raises:
            OSError: If it cannot be read any more.
        """
        ...


class PackageCounters:
    """RAPL, which Linux shows below ``/sys/class/powercap``: all processor packages together.

    Args:
        packages: The folder of each package.

    Raises:
        OSError: If one cannot be read, as by others than root on most machines.
    """

    source: ClassVar[str] = "rapl"
    look_every: ClassVar[float | None] = 60.0  # one starts anew after 262 kJ, or less

    def __init__(self, packages: list[Path]) -> None:
        self._ranges = {folder: _microjoules(folder / "max_energy_range_uj") for folder in packages}
        self._seen = {folder: _microjoules(folder / "energy_uj") for folder in packages}
        self._total = 0

    def joules(self) -> float:
        """Joules since it was made."""
        for folder, before in self._seen.items():
            now = _microjoules(folder / "energy_uj")
            self._total += now - before + (self._ranges[folder] if now < before else 0)
            self._seen[folder] = now
        return self._total / 1e6


class DeviceCounter:
    """NVML's counter of a whole CUDA device, since its driver was loaded.

    Args:
        library: The driver's NVML, as ctypes loaded it.
        uuid: The device, e.g. ``GPU-5e5a…``.

    Raises:
        OSError: If the device does not tell: older than Volta, or a part of one (MIG).
    """

    source: ClassVar[str] = "nvml"
    look_every: ClassVar[float | None] = None

    def __init__(self, library: Any, uuid: str) -> None:
        self._library = library
        self._device = ctypes.c_void_p()
        _check(library.nvmlInit_v2())
        _check(library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self._device)))
        self.joules()

    def joules(self) -> float:
        """Joules since the driver was loaded."""
        millijoules = ctypes.c_ulonglong()
        _check(
            self._library.nvmlDeviceGetTotalEnergyConsumption(
                self._device, ctypes.byref(millijoules)
            )
        )
        return millijoules.value / 1e3


def find_sensor(device: torch.device, *, powercap: Path = _POWERCAP) -> Sensor | None:
    """What tells the energy of a device, if anything does.

    Args:
        device: Where a fit runs.
        powercap: Where Linux shows the processor packages.
    """
    try:
        if device.type == "cuda":
            uuid = torch.cuda.get_device_properties(device).uuid
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


def _check(answer: int) -> None:
    if answer != 0:
        raise OSError(f"NVML answers {answer}")
