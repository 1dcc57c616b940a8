"""Losses with a pre-pass run in the harness, and resume bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import Cell, Component
from hashbench.core.record import Status
from hashbench.methods.interface import EpochEvent
from hashbench.worker.events import Events

UD2H = {"neighbours": 5, "clusters": 8, "sample": 48, "inner_epochs": 1, "warm_up": 1, "refresh": 1}
LOSSES = {
    "ud2h": {**UD2H, "mode": "tuned"},
    "ud2h, learned codes": {**UD2H, "mode": "tuned", "database_codes": "learned"},
    "dfadh": {},
}


class InterruptAfter(Events):
    """Ends the process's work after the second epoch."""

    def epoch(self, event: EpochEvent) -> None:
        if event.epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("described", LOSSES)
def test_an_interrupted_run_of_a_loss_with_a_prepass_equals_an_unbroken_one(
    described: str, bench: Callable[[str], Any], cell: Cell
) -> None:
    loss = Component(described.partition(",")[0], 1, LOSSES[described])
    cell = replace(cell, loss=loss)
    unbroken_bench, broken_bench = bench("unbroken"), bench("broken")
    unbroken = unbroken_bench.run(cell)
    with pytest.raises(KeyboardInterrupt):
        broken_bench.run(cell, events=InterruptAfter(None))
    resumed = broken_bench.run(cell)

    assert unbroken.status is resumed.status is Status.OK
    assert (unbroken.resumed_from, resumed.resumed_from) == (None, 2)
    assert resumed.history == unbroken.history
    assert broken_bench.code_bytes(resumed) == unbroken_bench.code_bytes(unbroken)
