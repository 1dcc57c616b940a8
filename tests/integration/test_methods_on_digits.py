"""Every method on scikit-learn's digits reaches the mAP that was measured independently of it.

The cells of the digits matrices are trained anew, on one thread each. The values to reach are in
tables.toml, with where they come from; a method that has none must be well above LSH. The thorough
tests train every method with three seeds; the daily ones train one seed of eight families of losses
and compare it with the committed record of the same cell.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
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
FILE = tomllib.loads(Path(__file__).with_name("tables.toml").read_text())
TOLERANCE = FILE.pop("tolerance")
TABLES = {name: table for name, table in FILE.items() if table.get("retrained")}
ROWS = [(name, row["row"]) for name, table in TABLES.items() for row in table["rows"]]
FAMILIES = [
    ("digits", "adsh"),  # asymmetric: codes of the database are learnt directly
    ("digits", "csq"),  # fixed centres
    ("digits", "dsdh"),  # discrete codes and a classifier
    ("digits", "dtsh"),  # triplets
    ("digits", "greedyhash"),  # sign in the forward pass
    ("digits", "hashnet"),  # pairs
    ("digits", "hsc"),  # contrast and classification
    ("digits-unsupervised", "cibhash"),  # two views of an image, no labels
]

Fits = Callable[[Cell, Mapping[str, Any], Mapping[str, Any]], bool]


@pytest.fixture(scope="module")
def cells_of(root: Path, fits: Fits) -> Callable[[str, str], list[Cell]]:
    """Return a function that gives the cells of a row of a table, all seeds."""
    matrices = {
        name: load_matrix(root / "matrices" / f"{name}.yaml", registry()) for name in TABLES
    }
    cells = {name: expand(matrix, registry()).cells for name, matrix in matrices.items()}

    def of_row(table: str, name: str) -> list[Cell]:
        row = next(row for row in TABLES[table]["rows"] if row["row"] == name)
        return [cell for cell in cells[table] if fits(cell, TABLES[table], row)]

    return of_row


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Cell], float]:
    """Return a function that trains a cell, if it has not yet, and gives its mAP@all."""
    store = Store.create(tmp_path_factory.mktemp("digits") / "store")

    def trained(cell: Cell) -> float:
        if read_cell(store, cell.fit_id).fit is None:
            job = Job(cell, store.root, fit=True, metrics=(METRIC,), device="cpu", threads=1)
            assert CellRun(job, registry(), Events(None)).run(), cell
        return read_cell(store, cell.fit_id).metrics()[METRIC][0].value

    return trained


@pytest.mark.parametrize(("table", "name"), FAMILIES)
def test_one_seed_of_a_loss_family_reaches_the_recorded_value_of_its_cell(
    table: str,
    name: str,
    cells_of: Callable[[str, str], list[Cell]],
    train: Callable[[Cell], float],
    root: Path,
) -> None:
    cell = next(cell for cell in cells_of(table, name) if cell.seed == 0)
    recorded = read_cell(Store.open(root / "results" / table), cell.fit_id).metrics()[METRIC][0]
    assert train(cell) == pytest.approx(recorded.value, abs=TOLERANCE)


@pytest.mark.thorough
@pytest.mark.parametrize(("table", "name"), ROWS)
def test_a_method_learns_digits_as_well_as_was_measured(
    table: str,
    name: str,
    cells_of: Callable[[str, str], list[Cell]],
    train: Callable[[Cell], float],
) -> None:
    row = next(row for row in TABLES[table]["rows"] if row["row"] == name)
    own, lsh = ([train(cell) for cell in cells_of(table, key)] for key in (name, "lsh"))

    assert len(own) == SEEDS
    print(f"{name}: mAP@all {mean(own):.3f}, measured before {row.get('map', 'never')}")
    if "map" in row:
        assert mean(own) == pytest.approx(row["map"], abs=row.get("tolerance", TOLERANCE))
    else:
        margin = row.get("above_lsh", TABLES[table]["above_lsh"])
        assert mean(own) > mean(lsh) + margin


def test_every_loss_and_method_has_its_row() -> None:
    rows = [row for table in TABLES.values() for row in table["rows"]]
    assert {row["loss"] for row in rows if "loss" in row} == set(registry().names(Kind.LOSS))
    methods = {row["method"] for row in rows if "method" in row}
    assert methods == set(registry().names(Kind.METHOD)) - {"cosine"}
