"""A training that is stopped between two steps, or whose disk is full, ends as an unbroken one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hashbench.core.cell import Cell
from hashbench.core.errors import ExitCode, StoreError
from hashbench.core.record import FitRecord
from hashbench.core.registry import Kind, Registry
from hashbench.store.lease import take
from hashbench.training.checkpoint import Checkpoints
from hashbench.worker.events import Events


class StopAt(threading.Event):
    """Says stop when it is asked for the n-th time."""

    def __init__(self, question: int) -> None:
        super().__init__()
        self.left = question

    def is_set(self) -> bool:
        """Answer; it is asked before every step."""
        self.left -= 1
        return self.left < 0


@pytest.fixture
def loss_class(components: Registry) -> Any:
    return components.load(Kind.LOSS, "every_hook")


def ran_out_of_time(workplace: Any, cell: Cell, question: int) -> None:
    with pytest.raises(SystemExit) as ended:
        workplace.run(cell, events=Events(None, StopAt(question)))
    assert ended.value.code == ExitCode.INTERRUPTED


def assert_equal(broken: Any, resumed: FitRecord, unbroken_bench: Any, unbroken: FitRecord) -> None:
    assert resumed.history == unbroken.history
    assert broken.code_bytes(resumed) == unbroken_bench.code_bytes(unbroken)
    assert resumed.budget is not None and unbroken.budget is not None
    assert resumed.budget.images_seen == unbroken.budget.images_seen


@pytest.mark.parametrize(
    ("stops", "resumed_from"),
    [((0,), 0), ((1,), 0), ((3,), 1), ((4,), 1), ((1, 1, 2), 1), ((11, 0), 3)],
)
def test_stopped_before_any_step_and_taken_up_it_equals_an_unbroken_run_bit_for_bit(
    bench: Callable[[str], Any],
    cell: Cell,
    loss_class: Any,
    stops: tuple[int, ...],
    resumed_from: int,
) -> None:
    whole, broken = bench("whole"), bench("broken")
    unbroken = whole.run(cell)
    state = {name: value.clone() for name, value in loss_class.last.state_dict().items()}

    for question in stops:
        ran_out_of_time(broken, cell, question)
    resumed = broken.run(cell)

    assert resumed.resumed_from == resumed_from
    assert_equal(broken, resumed, whole, unbroken)
    for name, value in loss_class.last.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_torn_part_of_an_epoch_is_passed_over_for_the_epoch_before(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    whole, broken = bench("whole"), bench("broken")
    ran_out_of_time(broken, cell, 5)
    (part,) = broken.store.work_folder(cell.fit_id).glob("part-*.pt")
    part.write_bytes(part.read_bytes()[:-1])

    resumed = broken.run(cell)

    assert resumed.resumed_from == 1
    assert_equal(broken, resumed, whole, whole.run(cell))


def test_a_full_disk_is_one_line_and_loses_no_more_than_the_epoch_under_way(
    bench: Callable[[str], Any], cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = bench("whole"), bench("broken")
    plain = Checkpoints.save

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def save(self: Checkpoints, epoch: int, state: dict[str, Any]) -> None:
        with monkeypatch.context() as patched:
            if epoch == 3:
                patched.setattr("os.fsync", full)
            plain(self, epoch, state)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", save)
        with pytest.raises(StoreError) as raised:
            broken.run(cell)

    assert len(str(raised.value).splitlines()) == 1
    assert "No space left on device. Files written before are kept" in str(raised.value)
    work: Path = broken.store.work_folder(cell.fit_id)
    assert sorted(path.name for path in work.glob("*.pt")) == ["epoch-000001.pt", "epoch-000002.pt"]
    assert not list(work.glob(".tmp-*"))
    resumed = broken.run(cell)
    assert resumed.resumed_from == 2
    assert_equal(broken, resumed, whole, whole.run(cell))


def test_a_worker_whose_cell_was_taken_over_leaves_no_record(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    workplace = bench("store")
    folder = workplace.store.lease_folder(cell.fit_id)
    mine, theirs = take(folder, above=0), take(folder, above=1)
    assert mine is not None and theirs is not None

    with pytest.raises(SystemExit):
        workplace.run(cell, lease=mine.number, lease_period=60.0)

    assert workplace.store.fit_ids() == []


def test_checkpoints_of_another_number_of_threads_are_not_taken_up(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    workplace = bench("store")
    ran_out_of_time(workplace, cell, 9)

    fit = workplace.run(cell, threads=2)

    assert (fit.resumed_from, fit.environment.threads) == (None, 2)
