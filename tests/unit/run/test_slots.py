"""How many cells run beside each other."""

from __future__ import annotations

import pytest

from hashbench.run.options import Slot, make_slots


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Return what gives the machine cores and CUDA devices."""

    def has(cores: int, *gpus: str) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
        monkeypatch.setattr("hashbench.run.options.visible_gpus", lambda: list(gpus))

    return has


@pytest.mark.parametrize(
    ("cores", "threads", "slots"), [(8, 2, 4), (8, 3, 2), (2, 8, 1), (1, 1, 1)]
)
def test_auto_keeps_the_cores_busy_and_no_more(
    machine, cores: int, threads: int, slots: int
) -> None:
    machine(cores)
    assert len(make_slots("auto", device="auto", threads=threads)) == slots


def test_a_number_is_taken_as_it_is_on_cores(machine) -> None:
    machine(2)
    assert make_slots(3, device="auto", threads=2) == (Slot(0), Slot(1), Slot(2))


def test_auto_is_one_slot_for_each_cuda_device(machine) -> None:
    machine(8, "0", "3")
    assert make_slots("auto", device="auto", threads=1) == (Slot(0, "0"), Slot(1, "3"))


def test_a_number_is_for_each_cuda_device_and_all_are_used_before_one_is_shared(machine) -> None:
    machine(8, "0", "3")
    found = make_slots(2, device="cuda", threads=1)
    assert [slot.gpu for slot in found] == ["0", "3", "0", "3"]


def test_cells_for_the_cpu_do_not_ask_for_devices(machine) -> None:
    machine(4, "0")
    assert make_slots("auto", device="cpu", threads=1) == tuple(Slot(n) for n in range(4))
