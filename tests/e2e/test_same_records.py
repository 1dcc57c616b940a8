"""Two runs of a matrix leave equal records, in any order and whatever runs beside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from in_process import hashbench

from hashbench.cli.loading import load
from hashbench.core.registry import registry
from hashbench.run.plan import plan_cells
from hashbench.store.store import Store
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

MATRIX = """
version: 1
name: twice
datasets: [{name: digits, subset: {train: 100, query: 20, database: 300}}]
methods: {pairs: [{backbone: mlp, loss: dsh}, {backbone: mlp, loss: csq}]}
bits: [16]
train: {epochs: 3, batch_size: 20, augmentation: flip}
evaluate: {metrics: [map], cutoffs: [all, 10], radius: 2}
execute: {device: cpu, threads: 1, slots: 2}
"""
# What is measured of the machine, and what names it.
MEASURED = {"record_id", "fit_record", "started", "finished", "phases", "seconds", "load_average"}
MEASURED |= {"peak_memory_bytes", "step_seconds", "speed", "energy"}


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what a cell sets for its whole process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in MEASURED}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def records(store: Path) -> list[str]:
    """Return every record without what is measured of the machine, sorted."""
    found = [json.loads(file.read_text()) for file in store.glob("[!.]*/*-*.json")]
    return sorted(json.dumps(without_times(record), sort_keys=True) for record in found)


def test_in_another_order_and_with_another_cell_beside_records_are_equal(tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(MATRIX)
    run = hashbench("run", str(matrix), "--store", "beside", folder=tmp_path)
    assert run.returncode == 0, run.stderr

    wanted, alone = load(matrix), Store.create(tmp_path / "alone")
    planned = plan_cells(wanted.cells, wanted.request, store=alone, registry=registry())
    for item in reversed(planned):
        assert CellRun(item.job, registry(), Events(None)).run()

    assert len(records(tmp_path / "beside")) == 4
    assert records(tmp_path / "beside") == records(tmp_path / "alone")
    assert all('"threads": 1' in record for record in records(tmp_path / "beside"))
