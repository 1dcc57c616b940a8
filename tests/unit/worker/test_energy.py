"""The energy of a fit is measured by part, with simulated sensors."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from hashbench.core.energy import Energy
from hashbench.worker import energy as energy_module
from hashbench.worker.energy import DeviceCounter, EnergyMeter, PackageCounters, find_sensor

CPU = torch.device("cpu")


class Readings:
    """A sensor that gives one reading after another; an error among them is raised."""

    source: ClassVar[str] = "made up"
    read_every: ClassVar[float | None] = None

    def __init__(self, *readings: float | OSError) -> None:
        self._left = list(readings)

    def joules(self) -> float:
        reading = self._left.pop(0)
        if isinstance(reading, OSError):
            raise reading
        return reading


def measured(*readings: float | OSError) -> Energy | None:
    """The energy of training, encoding, and training again."""
    meter = EnergyMeter(Readings(*readings))
    for part in ("training", "encoding", "training"):
        with meter(part):
            pass
    return meter.energy


def test_each_part_is_the_difference_of_its_readings_and_what_comes_twice_is_added() -> None:
    energy = measured(10.0, 14.0, 20.0, 21.5, 30.0, 33.0)
    assert energy == Energy(source="made up", joules={"training": 4.0 + 3.0, "encoding": 1.5})


def test_without_a_sensor_there_is_no_energy() -> None:
    meter = EnergyMeter(None)
    with meter("training"):
        pass
    assert meter.energy is None


@pytest.mark.parametrize("failing", range(6))
def test_a_sensor_that_fails_once_leaves_no_half_truth(failing: int) -> None:
    readings: list[float | OSError] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    readings[failing] = OSError("gone")
    assert measured(*readings) is None


def test_what_goes_wrong_in_a_part_is_not_hidden() -> None:
    meter = EnergyMeter(Readings(1.0, 5.0))
    with pytest.raises(ZeroDivisionError), meter("training"):
        _ = 1 / 0
    assert meter.energy == Energy(source="made up", joules={"training": 4.0})


def test_a_sensor_that_starts_anew_is_read_within_a_long_part() -> None:
    class Restless:
        source: ClassVar[str] = "made up"
        read_every: ClassVar[float | None] = 0.001

        def __init__(self) -> None:
            self.looks, self.often = 0, threading.Event()

        def joules(self) -> float:
            self.looks += 1
            if self.looks > 4:
                self.often.set()
            return float(self.looks)

    sensor = Restless()
    meter = EnergyMeter(sensor)
    with meter("training"):
        assert sensor.often.wait(10)
    assert meter.energy is not None
    assert meter.energy.joules["training"] > 4


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder as Linux shows one below /sys/class/powercap."""

    def write(folder: str, name: str, energy: int, largest: int = 1000) -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        (path / "name").write_text(f"{name}\n")
        (path / "energy_uj").write_text(f"{energy}\n")
        (path / "max_energy_range_uj").write_text(f"{largest}\n")
        return path

    return write


def test_packages_are_added_and_one_that_started_anew_goes_on(
    package: Callable[..., Path],
) -> None:
    counters = PackageCounters([package("a", "package-0", 900), package("b", "package-1", 0)])
    package("a", "package-0", 950)
    package("b", "package-1", 30)
    assert counters.joules() == pytest.approx(80e-6)
    package("a", "package-0", 10)  # 50 up to its largest, and 10 from there
    assert counters.joules() == pytest.approx((80 + 60) * 1e-6)


def test_only_whole_packages_count(package: Callable[..., Path], tmp_path: Path) -> None:
    package("intel-rapl:0", "package-0", 0)
    package("intel-rapl:0:0", "core", 0)
    package("intel-rapl:1", "psys", 0)
    package("intel-rapl-mmio:0", "package-0", 0)  # the same package once more
    sensor = find_sensor(CPU, powercap=tmp_path)
    assert sensor is not None
    for folder, name in (("intel-rapl:0:0", "core"), ("intel-rapl:1", "psys")):
        package(folder, name, 500)
    package("intel-rapl-mmio:0", "package-0", 500)
    package("intel-rapl:0", "package-0", 7)
    assert (sensor.source, sensor.joules()) == ("rapl", pytest.approx(7e-6))


def test_a_machine_that_tells_nothing_has_no_sensor(
    package: Callable[..., Path], tmp_path: Path
) -> None:
    assert find_sensor(CPU, powercap=tmp_path / "none") is None
    folder = package("intel-rapl:0", "package-0", 0)
    (folder / "energy_uj").unlink()
    (folder / "energy_uj").mkdir()  # as unreadable as a file of root's
    assert find_sensor(CPU, powercap=tmp_path) is None


class Driver:
    """NVML with one device, whose counter rises by 2,500 mJ at every look."""

    def __init__(self, answer: int = 0) -> None:
        self.answer, self.asked, self._millijoules = answer, b"", 10_000

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's name
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, device: Any) -> int:  # noqa: N802
        self.asked, device._obj.value = uuid, 77
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(  # noqa: N802 - NVML's name
        self, device: ctypes.c_void_p, millijoules: Any
    ) -> int:
        assert device.value == 77
        self._millijoules += 2_500
        millijoules._obj.value = self._millijoules
        return self.answer


@pytest.fixture(params=["5e5a-1", "GPU-5e5a-1"])
def card(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Driver], torch.device]:
    """Puts a card with a driver into the machine; its id has a prefix or not."""

    def put(driver: Driver) -> torch.device:
        about = SimpleNamespace(uuid=request.param)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: about)
        monkeypatch.setattr(energy_module.ctypes, "CDLL", lambda _: driver)
        return torch.device("cuda", 0)

    return put


def test_a_cards_own_counter_is_read_in_joules(card: Callable[[Driver], torch.device]) -> None:
    driver = Driver()
    sensor = find_sensor(card(driver))
    assert isinstance(sensor, DeviceCounter)
    assert driver.asked == b"GPU-5e5a-1"
    assert sensor.joules() + 2.5 == sensor.joules()


def test_a_card_that_does_not_tell_has_no_sensor(
    card: Callable[[Driver], torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = card(Driver(answer=3))  # NVML_ERROR_NOT_SUPPORTED
    assert find_sensor(device) is None

    def missing(_: str) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(energy_module.ctypes, "CDLL", missing)
    assert find_sensor(device) is None
