"""However a worker ends, its cell gets a record, and nothing that it started stays behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.arithmetic import Arithmetic
from hashbench.core.cell import Cell
from hashbench.core.environment import Device, Environment
from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.core.pinning import LEVEL
from hashbench.core.record import EvaluationRecord, FitRecord, LatencyRecord, Status
from hashbench.run.launchers.local import run_cells
from hashbench.run.options import RunOptions, Slot
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

Plan = Callable[[], Planned]
Put = Callable[[str], None]


@pytest.fixture
def run(planned: Plan, store: Store, heard: Any) -> Callable[..., CellResults]:
    def once(timeout: float | None = 20, observer: Any = None) -> CellResults:
        (found,) = run_cells([planned()], store, timeout=timeout, observer=observer or heard())
        return found

    return once


@pytest.fixture
def fitted(cell: Cell, store: Store) -> FitRecord:
    """Leave a good fit in the store."""
    environment = Environment(
        hashbench="0",
        commit=None,
        dirty_sha256=None,
        python="3",
        platform="x",
        cpu="x",
        cpu_count=1,
        threads=1,
        load_average=0.0,
        device=Device(kind="cpu", name="x"),
        libraries={},
        arithmetic=Arithmetic(level=LEVEL),
    )
    return store.write_record(
        FitRecord(
            fit_id=cell.fit_id,
            status=Status.OK,
            environment=environment,
            sources={},
            started="2026-01-01T00:00:00",
            finished="2026-01-01T00:00:01",
            cell=cell,
        )
    )


def cause(results: CellResults) -> tuple[Status, str]:
    assert results.fit is not None and results.fit.error is not None
    return results.fit.status, results.fit.error.message


def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":  # dead; whoever adopted it has not asked yet
            return True
        time.sleep(0.01)
    return False


def pids(store: Store, cell: Cell) -> list[int]:
    return [int(word) for word in (store.work_folder(cell.fit_id) / "pids").read_text().split()]


WITH_CHILD = """
sleep = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, pass_fds=[pipe])
with open(os.path.join(os.path.dirname(job), "pids"), "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
say(event="phase", phase="fit")
"""


def test_a_worker_killed_by_a_signal_is_recorded_and_its_children_are_ended(
    run: Callable[..., CellResults], worker: Put, store: Store, cell: Cell
) -> None:
    worker(WITH_CHILD + "os.kill(os.getpid(), signal.SIGKILL)")

    status, message = cause(run())

    assert status is Status.KILLED
    assert message == "the worker was ended by SIGKILL; perhaps memory ran out"
    assert all(gone(pid) for pid in pids(store, cell))


def test_a_worker_that_takes_too_long_is_ended_with_its_children(
    run: Callable[..., CellResults], worker: Put, store: Store, cell: Cell
) -> None:
    worker(WITH_CHILD + "time.sleep(60)")

    status, message = cause(run(timeout=3))

    assert (status, message) == (Status.TIMEOUT, "took longer than 3 s")
    assert all(gone(pid) for pid in pids(store, cell))


def test_the_timeout_holds_for_a_worker_that_closed_its_pipe(
    run: Callable[..., CellResults], worker: Put
) -> None:
    worker("os.close(pipe); time.sleep(60)")

    assert cause(run(timeout=3))[0] is Status.TIMEOUT


def test_a_worker_that_ignores_sigterm_is_killed_all_the_same(
    run: Callable[..., CellResults], worker: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashbench.run.process._GRACE_SECONDS", 0.2)
    worker("signal.signal(signal.SIGTERM, signal.SIG_IGN); say(event='x'); time.sleep(60)")

    assert cause(run(timeout=3))[0] is Status.TIMEOUT


def test_ctrl_c_ends_the_worker_records_the_cell_and_goes_up(
    run: Callable[..., CellResults], worker: Put, store: Store, cell: Cell, heard: Any
) -> None:
    worker(WITH_CHILD + "time.sleep(60)")

    with pytest.raises(KeyboardInterrupt):
        run(observer=heard(interrupt_at="phase"))

    assert cause(read_cell(store, cell.fit_id)) == (Status.INTERRUPTED, "interrupted by the user")
    assert all(gone(pid) for pid in pids(store, cell))


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("sys.exit('no such library')", Status.FAILED, "ended with code 1: no such library"),
        ("sys.exit(130)", Status.KILLED, "asked to end"),
        ("pass", Status.FAILED, "without leaving a record"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", Status.KILLED, "ended by SIGSEGV"),
    ],
)
def test_a_worker_without_a_record_gets_one_that_says_how_it_ended(
    run: Callable[..., CellResults], worker: Put, script: str, status: Status, message: str
) -> None:
    worker(script)

    found = cause(run())

    assert found[0] is status
    assert message in found[1]


def test_the_record_of_a_dead_worker_has_no_arithmetic_of_another_process(
    run: Callable[..., CellResults], worker: Put
) -> None:
    pytest.importorskip("torch")  # loaded here, so this process has an arithmetic
    worker("os.kill(os.getpid(), signal.SIGKILL)")

    found = run()

    assert found.fit is not None
    assert found.fit.environment.arithmetic is None


def test_the_end_of_the_log_is_in_the_record(run: Callable[..., CellResults], worker: Put) -> None:
    worker("print('one'); raise ValueError('two')")

    found = run()

    assert found.fit is not None and found.fit.error is not None
    assert found.fit.error.traceback.startswith("one\nTraceback")
    assert found.fit.error.message.endswith("ValueError: two")


def test_all_that_a_worker_said_before_it_died_is_heard(
    run: Callable[..., CellResults], worker: Put, heard: Any
) -> None:
    worker("for i in range(500): say(event='epoch', epoch=i)\nos.kill(os.getpid(), 9)")
    observer = heard()

    run(observer=observer)

    assert [event["epoch"] for event in observer.events] == list(range(500))


@pytest.mark.parametrize(
    ("phase", "kind"), [("evaluation", EvaluationRecord), ("latency", LatencyRecord)]
)
def test_a_worker_that_dies_after_the_fit_leaves_the_fit_and_a_failed_measurement(
    run: Callable[..., CellResults], worker: Put, fitted: FitRecord, phase: str, kind: type
) -> None:
    worker(f"say(event='phase', phase='{phase}'); os.kill(os.getpid(), 9)")

    found = run()

    assert found.fit == fitted
    (failure,) = found.failures
    assert isinstance(failure, kind)
    assert failure.fit_record == fitted.record_id


def test_a_worker_that_dies_while_it_fits_once_more_leaves_the_old_fit_and_a_failed_new_one(
    planned: Plan, store: Store, heard: Any, worker: Put, fitted: FitRecord
) -> None:
    worker("say(event='phase', phase='fit'); os.kill(os.getpid(), 9)")
    item = planned()
    again = replace(item, job=replace(item.job, fit=True, keep_model=True))

    (found,) = run_cells([again], store, timeout=20, observer=heard())

    assert found.fit == fitted
    (failure,) = found.failures
    assert isinstance(failure, FitRecord)
    assert failure.status is Status.KILLED


@pytest.mark.parametrize(("code", "error"), [(2, StoreError), (7, DamagedStoreError)])
def test_a_store_that_cannot_be_used_ends_the_run(
    run: Callable[..., CellResults], worker: Put, code: int, error: type[StoreError]
) -> None:
    worker(f"say(event='store-error', message='disk full', code={code}); sys.exit({code})")

    with pytest.raises(error, match="disk full") as raised:
        run()

    assert raised.type is error


def test_one_cell_after_another_even_if_one_fails(
    planned: Plan, store: Store, worker: Put, heard: Any
) -> None:
    worker("os.kill(os.getpid(), 9)")
    observer = heard()

    found = run_cells([planned(), planned()], store, timeout=None, observer=observer)

    assert [result.fit is not None for result in found] == [True, True]
    assert len(observer.results) == 2


def test_a_worker_finds_its_number_of_threads_and_its_device_in_its_environment(
    planned: Plan, store: Store, worker: Put, heard: Any
) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    worker(f"say(event='found', **{{name: os.environ.get(name) for name in {names}}})")
    item, observer = planned(), heard()
    item = replace(item, job=replace(item.job, threads=3))

    run_cells([item], store, observer=observer, options=RunOptions(slots=(Slot(0, "1"),)))

    (event,) = [each for each in observer.events if each["event"] == "found"]
    assert [event[name] for name in names] == ["3", "3", "1"]
