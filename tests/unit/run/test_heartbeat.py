"""A lease is kept alive until it is given back, and is free from then on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import cast

import pytest

from hashbench.run.heartbeat import Heartbeat
from hashbench.store.lease import Lease, look, take

PERIOD = 0.12


class SlowDisk:
    """A lease on a disk that takes its time over a beat."""

    period = PERIOD

    def __init__(self) -> None:
        self.content, self.beating, self.written = "0", threading.Event(), threading.Event()

    def beat(self) -> bool:
        self.beating.set()
        assert self.written.wait(60)
        self.content = "1"
        return True

    def release(self) -> None:
        self.content = "released"


@pytest.fixture
def heartbeat() -> Heartbeat:
    return Heartbeat(PERIOD)


def test_a_beat_under_way_does_not_take_a_lease_back_that_is_given_back(
    heartbeat: Heartbeat,
) -> None:
    lease = SlowDisk()
    heartbeat.keep(cast(Lease, lease))
    assert lease.beating.wait(60)
    giving_back = threading.Thread(target=heartbeat.release, args=(lease,))
    giving_back.start()
    giving_back.join(0.2)  # time enough to write it, if nothing held it up
    lease.written.set()
    giving_back.join()
    heartbeat.close()
    assert lease.content == "released"


def test_asking_about_a_lease_does_not_wait_for_the_disk(heartbeat: Heartbeat) -> None:
    lease = SlowDisk()
    heartbeat.keep(cast(Lease, lease))
    assert lease.beating.wait(60)
    assert not heartbeat.lost(cast(Lease, lease))  # would hang here
    lease.written.set()
    heartbeat.close()


def test_its_counter_rises_while_it_is_kept_and_rests_once_somebody_else_has_it(
    heartbeat: Heartbeat, tmp_path: Path
) -> None:
    lease = take(tmp_path, above=0, period=PERIOD)
    assert lease is not None
    heartbeat.keep(lease)
    while look(tmp_path).beat == "0":
        time.sleep(0.01)
    assert not heartbeat.lost(lease)
    assert take(tmp_path, above=1) is not None
    while not heartbeat.lost(lease):
        time.sleep(0.01)
    heartbeat.close()
    assert look(tmp_path).beat == "0"
