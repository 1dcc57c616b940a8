"""Every method on scikit-learn's digits reaches the mAP that was measured independently of it.

The cells of the digits matrices, done here anew by the harness, two at a time in processes of one
thread each. The values to reach are in tables.toml, with where they come from; a method that has
none must be well above LSH.
"""

from __future__ import annotations

import multiprocessing
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from hashbench.core.cell import Cell
from hashbench.core.job import Job
from hashbench.core.registry import Kind, registry
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

METRIC = "map@all/div=hits/ties=expected/empty=zero"
SEEDS = 3
PROCESSES = 2
FILE = tomllib.loads(Path(__file__).with_name("tables.toml").read_text())
TOLERANCE = FILE.pop("tolerance")
TABLES = {name: table for name, table in FILE.items() if table.get("retrained")}
ROWS = [(name, row["row"]) for name, table in TABLES.items() for row in table["rows"]]

pytestmark = pytest.mark.slow


def reached(cell: Cell, root: Path) -> float:
    """Do one cell, in a process of its own."""
    store = Store.open(root)
    job = Job(cell, store.root, fit=True, metrics=(METRIC,), device="cpu", threads=1)
    assert CellRun(job, registry(), Events(None)).run(), cell
    return read_cell(store, cell.fit_id).metrics()[METRIC][0].value


@pytest.fixture(scope="module")
def cells(root: Path) -> dict[str, list[Cell]]:
    """The cells of the matrix that each table is made by."""
    matrices = {
        name: load_matrix(root / "matrices" / f"{name}.yaml", registry()) for name in TABLES
    }
    return {name: list(expand(matrix, registry()).cells) for name, matrix in matrices.items()}


@pytest.fixture(scope="module")
def values(
    cells: dict[str, list[Cell]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, float]:
    """The mAP@all of every cell, by its fit id."""
    every = list({cell.fit_id: cell for found in cells.values() for cell in found}.values())
    store = Store.create(tmp_path_factory.mktemp("digits") / "store")
    forked = multiprocessing.get_context("fork")  # torch is loaded already
    with ProcessPoolExecutor(PROCESSES, mp_context=forked) as pool:
        found = pool.map(reached, every, [store.root] * len(every))
        return {cell.fit_id: value for cell, value in zip(every, found, strict=True)}


@pytest.mark.parametrize(("table", "name"), ROWS)
def test_a_method_learns_digits_as_well_as_was_measured(
    table: str,
    name: str,
    cells: dict[str, list[Cell]],
    values: dict[str, float],
    fits: Callable[[Cell, Mapping[str, Any], Mapping[str, Any]], bool],
) -> None:
    rows = {row["row"]: row for row in TABLES[table]["rows"]}
    own, lsh = (
        [values[cell.fit_id] for cell in cells[table] if fits(cell, TABLES[table], rows[key])]
        for key in (name, "lsh")
    )

    assert len(own) == SEEDS
    print(f"{name}: mAP@all {mean(own):.3f}, measured before {rows[name].get('map', 'never')}")
    if "map" in rows[name]:
        tolerance = rows[name].get("tolerance", TOLERANCE)
        assert mean(own) == pytest.approx(rows[name]["map"], abs=tolerance)
    else:
        margin = rows[name].get("above_lsh", TABLES[table]["above_lsh"])
        assert mean(own) > mean(lsh) + margin


def test_every_loss_and_method_has_its_row() -> None:
    rows = [row for table in TABLES.values() for row in table["rows"]]
    assert {row["loss"] for row in rows if "loss" in row} == set(registry().names(Kind.LOSS))
    methods = {row["method"] for row in rows if "method" in row}
    assert methods == set(registry().names(Kind.METHOD)) - {"cosine"}
