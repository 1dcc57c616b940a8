"""What a fit drew is in its record, if all of it was measured there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from hashbench.cli.loading import load
from hashbench.core.energy import Energy
from hashbench.core.record import FitRecord
from hashbench.core.registry import registry
from hashbench.run.plan import plan_cells
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store
from hashbench.worker import fit
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

MATRIX = """
version: 1
name: energy
datasets: [{{name: digits, subset: {{train: 50, query: 10, database: 100}}}}]
methods: {{pairs: [{{{pair}}}]}}
bits: [8, 16]
train: {{{train}}}
execute: {{device: cpu, threads: 1}}
"""


class Rising:
    """A sensor that rises by 5 J from one reading to the next."""

    source: ClassVar[str] = "rapl"
    read_every: ClassVar[float | None] = None

    def __init__(self) -> None:
        self._readings = count(100.0, 5.0)

    def joules(self) -> float:
        return next(self._readings)


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what a cell sets for its whole process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


def fits(folder: Path, pair: str, train: str = "epochs: 1") -> list[FitRecord]:
    """The records of two code lengths, made one after the other."""
    file = folder / "matrix.yaml"
    file.write_text(MATRIX.format(pair=pair, train=train))
    wanted, store = load(file), Store.create(folder / "store")
    found = []
    for item in plan_cells(wanted.cells, wanted.request, store=store, registry=registry()):
        assert CellRun(item.job, registry(), Events(None)).run()
        made = read_cell(store, item.cell.fit_id).fit
        assert made is not None
        found.append(made)
    return found


def test_training_and_encoding_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "find_sensor", lambda _: Rising())
    for made in fits(tmp_path, "backbone: mlp, loss: dsh"):
        assert made.energy == Energy(source="rapl", joules={"training": 5.0, "encoding": 5.0})


def test_a_fit_whose_features_another_cell_computed_states_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "find_sensor", lambda _: Rising())
    first, second = fits(tmp_path, "backbone: mlp, loss: dsh", "epochs: 1, backbone: frozen")
    assert (bool(first.spared), bool(second.spared)) == (False, True)
    assert first.energy is not None
    assert second.energy is None


def test_where_nothing_tells_nothing_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "find_sensor", lambda _: None)
    assert [made.energy for made in fits(tmp_path, "method: lsh")] == [None, None]
