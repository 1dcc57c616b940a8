"""A cell has one holder, whatever sleeps, dies or is damaged, and no clock is trusted."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hashbench.core.errors import StoreError
from hashbench.store.lease import PERIOD, Lease, Watch, look, take


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "leases"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return this machine's monotonic clock, to be set."""
    now = [100.0]
    monkeypatch.setattr("hashbench.store.lease.time.monotonic", lambda: now[0])
    return now


def taken(folder: Path, above: int = 0, period: float = 5.0) -> Lease:
    lease = take(folder, above=above, period=period)
    assert lease is not None
    return lease


def test_a_cell_that_nobody_took_is_free_and_one_that_was_taken_says_by_whom(folder: Path) -> None:
    assert look(folder).free
    taken(folder)
    seen = look(folder)
    assert (seen.free, seen.number, seen.pid, seen.period) == (False, 1, os.getpid(), 5.0)


def test_of_many_who_take_at_once_one_gets_it(folder: Path) -> None:
    barrier, got = threading.Barrier(12), []

    def race() -> None:
        barrier.wait()
        got.append(take(folder, above=0))

    threads = [threading.Thread(target=race) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([lease for lease in got if lease is not None]) == 1
    assert len(got) == 12


def test_what_was_given_back_can_be_taken_again(folder: Path) -> None:
    taken(folder).release()
    seen = look(folder)
    assert seen.free
    assert taken(folder, above=seen.number).number == 2


def test_a_lease_whose_counter_moves_is_never_silent(folder: Path, clock: list[float]) -> None:
    lease, watch = taken(folder), Watch()
    for _ in range(10):
        assert not watch.silent(folder, look(folder))
        clock[0] += 4.9
        assert lease.beat()


def test_a_lease_is_silent_after_its_own_period_on_the_observers_clock(
    folder: Path, clock: list[float]
) -> None:
    taken(folder)
    os.utime(folder / "00000001", (0, 0))  # whatever another machine's clock says
    watch = Watch()
    assert not watch.silent(folder, look(folder))
    clock[0] += 5.0
    assert not watch.silent(folder, look(folder))
    clock[0] += 0.1
    assert watch.silent(folder, look(folder))


def test_an_observer_that_slept_between_looking_and_judging_takes_nothing_from_the_living(
    folder: Path, clock: list[float]
) -> None:
    lease, watch = taken(folder), Watch()
    assert not watch.silent(folder, look(folder))
    clock[0] += 4.0
    seen = look(folder)
    clock[0] += 60.0  # asleep; the holder is not
    lease.beat()
    assert not watch.silent(folder, seen)
    assert not watch.silent(folder, look(folder))


def test_who_slept_through_a_takeover_finds_the_lease_lost_and_disturbs_nobody(
    folder: Path,
) -> None:
    sleeper = taken(folder)
    assert sleeper.beat()
    other = taken(folder, above=1)
    before = look(folder)

    assert not sleeper.beat()
    assert not sleeper.held
    sleeper.release()

    assert look(folder) == before
    assert other.held


def test_who_looked_long_ago_gets_nothing_though_the_number_is_free_again(folder: Path) -> None:
    for above in range(3):
        holder = taken(folder, above=above)
    assert sorted(path.name for path in folder.iterdir()) == ["00000003"]

    assert take(folder, above=0) is None
    assert take(folder, above=1) is None
    assert holder.held
    assert sorted(path.name for path in folder.iterdir()) == ["00000003"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"host": "a"', b"\xff\xfe"])
def test_a_damaged_lease_is_held_until_nothing_changed_for_the_usual_period(
    folder: Path, clock: list[float], content: bytes
) -> None:
    taken(folder)
    (folder / "00000001").write_bytes(content)
    watch = Watch()
    assert not look(folder).free
    assert not watch.silent(folder, look(folder))
    clock[0] += PERIOD + 1
    assert watch.silent(folder, look(folder))


def test_the_holder_of_a_damaged_lease_is_still_seen_alive(
    folder: Path, clock: list[float]
) -> None:
    lease, watch = taken(folder), Watch()
    (folder / "00000001").write_bytes(b"")
    for _ in range(3):
        assert not watch.silent(folder, look(folder))
        clock[0] += PERIOD - 1
        lease.beat()


def test_a_holder_of_this_machine_that_is_no_more_is_known(folder: Path) -> None:
    taken(folder)
    assert not look(folder).holder_gone
    ended = os.fork()
    if ended == 0:
        take(folder, above=1)
        os._exit(0)
    os.waitpid(ended, 0)
    assert look(folder).holder_gone


def test_a_lease_that_cannot_be_written_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*file/leases/00000001: .*--store"):
        take(tmp_path / "file" / "leases", above=0)
