"""A loss may use every hook, and an interrupted run of it ends as an unbroken one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hashbench.core.cell import Cell, Component
from hashbench.core.record import FitRecord, Status
from hashbench.core.registry import Kind, Registry
from hashbench.datasets.loading import load_data
from hashbench.methods.interface import EpochEvent
from hashbench.worker.events import Events

EPOCHS, BATCH, TRAIN = 4, 16, 100


class Interrupt(Events):
    """Ends the process's work after an epoch, as Ctrl-C or a lost parent does."""

    after = 2

    def epoch(self, event: EpochEvent) -> None:
        if event.epoch == self.after:
            raise KeyboardInterrupt


@pytest.fixture
def loss_class(components: Registry) -> Any:
    found = components.load(Kind.LOSS, "every_hook")
    found.calls.clear()
    return found


def without_learned_codes(cell: Cell) -> Cell:
    return replace(cell, loss=Component("every_hook", 1, {"learned": False}))


def test_every_hook_is_called_as_often_and_in_the_order_promised(
    bench: Callable[[str], Any], cell: Cell, loss_class: Any
) -> None:
    fit = bench("store").run(cell)

    expected = ["setup", "begin_training"]
    for epoch in range(EPOCHS):
        steps = (TRAIN // 2 + epoch) // BATCH  # an incomplete batch would mislead BatchNorm
        expected += [f"epoch_indices {epoch}", f"begin_epoch {epoch}"]
        expected += ["forward", "after_step"] * steps
        expected += [f"end_epoch {epoch}"]
    assert loss_class.calls == [*expected, "database_codes"]
    assert fit.status is Status.OK
    assert fit.budget is not None
    assert fit.budget.epochs == EPOCHS
    assert fit.budget.images_seen == 2 * BATCH * loss_class.calls.count("forward")
    assert "prepass" in fit.phases
    for entry in fit.history:
        weighted = entry["pull"] + 0.1 * entry["views"] + entry["bank"]
        assert entry["total"] == pytest.approx(weighted, rel=1e-5)


def test_parameters_and_buffers_of_the_loss_are_trained_and_kept(
    bench: Callable[[str], Any], cell: Cell, loss_class: Any
) -> None:
    started: list[torch.Tensor] = []

    class Note(Events):
        def epoch(self, event: EpochEvent) -> None:
            started.append(loss_class.last.centres.detach().clone())

    bench("store").run(cell, events=Note(None))

    assert not torch.equal(started[0], started[-1])
    assert int(loss_class.last.steps) == loss_class.calls.count("after_step")


def test_learned_codes_stand_in_the_database_for_the_training_images(
    bench: Callable[[str], Any], cell: Cell, loss_class: Any
) -> None:
    learned_bench, encoded_bench = bench("learned"), bench("encoded")
    learned = learned_bench.codes(learned_bench.run(cell))
    encoded = encoded_bench.codes(encoded_bench.run(without_learned_codes(cell)))

    split = load_data("digits", "digits@1", subset=cell.data.subset).split
    trained_on = np.isin(split.database, split.train)
    bits = np.unpackbits(learned["database"], axis=1, count=64)
    network_bits = np.unpackbits(encoded["database"], axis=1, count=64)
    assert trained_on.sum() == TRAIN
    np.testing.assert_array_equal(bits[trained_on], 1 - network_bits[trained_on])
    np.testing.assert_array_equal(bits[~trained_on], network_bits[~trained_on])
    np.testing.assert_array_equal(learned["query"], encoded["query"])


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_and_resumed_run_equals_an_unbroken_one_bit_for_bit(
    bench: Callable[[str], Any], cell: Cell, loss_class: Any, after: int
) -> None:
    unbroken_bench, broken_bench = bench("unbroken"), bench("broken")
    unbroken = unbroken_bench.run(cell)
    state = {name: value.clone() for name, value in loss_class.last.state_dict().items()}

    class Early(Interrupt):
        pass

    Early.after = after
    with pytest.raises(KeyboardInterrupt):
        broken_bench.run(cell, events=Early(None))
    loss_class.calls.clear()
    resumed = broken_bench.run(cell)

    assert loss_class.calls[:2] == ["setup", f"epoch_indices {after}"]  # no second beginning
    assert (unbroken.resumed_from, resumed.resumed_from) == (None, after)
    assert resumed.history == unbroken.history
    assert broken_bench.code_bytes(resumed) == unbroken_bench.code_bytes(unbroken)
    assert resumed.budget is not None and unbroken.budget is not None
    assert resumed.budget.images_seen == unbroken.budget.images_seen
    for name, value in loss_class.last.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_a_checkpoint_of_other_source_code_is_not_taken_up(
    bench: Callable[[str], Any],
    cell: Cell,
    loss_class: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workplace = bench("store")
    with pytest.raises(KeyboardInterrupt):
        workplace.run(cell, events=Interrupt(None))
    monkeypatch.setattr("hashbench.worker.cell.source_digests", lambda *_: {"losses/x": "changed"})

    fit = workplace.run(cell)

    assert fit.resumed_from is None
    assert [entry["epoch"] for entry in fit.history] == [1, 2, 3, 4]


def test_a_loss_that_becomes_nan_is_recorded_as_diverged(
    bench: Callable[[str], Any], cell: Cell, loss_class: Any
) -> None:
    poisoned = replace(cell, loss=Component("every_hook", 1, {"poison": 2}))

    fit: FitRecord = bench("store").run(poisoned)

    assert fit.status is Status.DIVERGED
    assert fit.error is not None
    assert fit.error.message.startswith("epoch 2: the loss is not finite: {'pull': nan")
    assert fit.artifacts == {}
