"""A worker ends when its parent dies, on SIGTERM, and when another run took over its cell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hashbench.core.cell import Cell
from hashbench.core.errors import ExitCode
from hashbench.core.job import JOB, Job
from hashbench.store.lease import take
from hashbench.store.store import Store

PERIOD = 1.0
SCRIPT = """
import signal, sys, time
from pathlib import Path
from hashbench.core.job import JOB
from hashbench.worker.termination import TerminationWatch
watch = TerminationWatch(int(sys.argv[2]), JOB.validate_json(Path(sys.argv[1]).read_bytes()))
watch.start()
print("ready", flush=True)
"""
# Polls like a training: a signal that arrives just before a long wait begins would be handled only
# after the wait.
STEPS = """
while not watch.stop.is_set():
    time.sleep(0.01)
print('a checkpoint', flush=True)
sys.exit(130)
"""
STUCK = "print(watch.stop.wait(60), flush=True); time.sleep(60)"


@pytest.fixture
def job(tmp_path: Path, cell: Cell) -> Path:
    store = Store.create(tmp_path / "store")
    lease = take(store.lease_folder(cell.fit_id), above=0, period=PERIOD)
    assert lease is not None
    file = tmp_path / "job.json"
    job = Job(cell, store.root, fit=True, lease=lease.number, lease_period=PERIOD)
    file.write_bytes(JOB.dump_json(job))
    return file


def start(job: Path, script: str) -> tuple[subprocess.Popen[str], int]:
    """Start a stand-in for the worker; return its process, once ready, and the parent's pipe."""
    ending, life = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + script, str(job), str(ending)],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[ending],
        start_new_session=True,
    )
    os.close(ending)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process, life


def test_at_its_next_step_it_ends_with_a_checkpoint_once_its_parent_is_gone(job: Path) -> None:
    process, life = start(job, STEPS)
    os.close(life)
    assert process.communicate(timeout=60) == ("a checkpoint\n", None)
    assert process.returncode == ExitCode.INTERRUPTED


def test_it_is_gone_half_a_lease_after_its_parent_though_no_step_comes(job: Path) -> None:
    process, life = start(job, STUCK)
    os.close(life)
    assert process.communicate(timeout=60) == ("True\n", None)
    assert process.returncode == -signal.SIGKILL


def test_asked_to_end_it_ends_at_its_next_step(job: Path) -> None:
    process, life = start(job, STEPS)
    process.terminate()
    assert process.communicate(timeout=60) == ("a checkpoint\n", None)
    os.close(life)


def test_asked_to_end_where_no_step_comes_it_ends_all_the_same(job: Path) -> None:
    quick = "import hashbench.worker.termination as it; it._SECONDS_AFTER_SIGTERM = 0.2\n"
    process, life = start(job, quick + "time.sleep(60)")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    os.close(life)


def test_it_is_killed_once_another_run_has_its_cell(job: Path) -> None:
    process, life = start(job, STUCK)
    named = JOB.validate_json(job.read_bytes())
    folder = Store(named.store).lease_folder(named.cell.fit_id)
    assert take(folder, above=named.lease) is not None
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    os.close(life)


def test_put_to_sleep_with_its_parent_killed_it_wakes_up_to_end_at_once_if_another_has_its_cell(
    job: Path,
) -> None:
    process, life = start(job, STEPS)
    named = JOB.validate_json(job.read_bytes())
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)  # until it sleeps, it could see the pipe close
    os.close(life)
    assert take(Store(named.store).lease_folder(named.cell.fit_id), above=named.lease) is not None
    os.kill(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=60) == ("", None)  # no checkpoint: the folder is another's
    assert process.returncode == -signal.SIGKILL
