"""The committed tables of toys: complete, sound, near what was measured before, as printed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

from hashbench.core.cell import Cell
from hashbench.core.codes import Codes
from hashbench.core.registry import registry
from hashbench.evaluation.entries import order_seed
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.store.catalogue import CellResults, read_all
from hashbench.store.codes import load_codes
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"
FILE = tomllib.loads(Path(__file__).parents[1].joinpath("tables.toml").read_text())
TOLERANCE = FILE.pop("tolerance")
TABLES: dict[str, Any] = FILE
ROWS = [(store, row["row"]) for store, table in TABLES.items() for row in table["rows"]]
SEEDS = 3

Fits = Callable[[Cell, Mapping[str, Any], Mapping[str, Any]], bool]
Found = dict[int, tuple[float, str]]


@pytest.fixture(scope="module")
def stores(root: Path) -> dict[str, Store]:
    return {name: Store.open(root / "results" / name) for name in TABLES}


@pytest.fixture(scope="module")
def cells(stores: dict[str, Store]) -> dict[str, list[CellResults]]:
    return {name: read_all(store) for name, store in stores.items()}


@pytest.fixture(scope="module")
def found(
    cells: dict[str, list[CellResults]], fits: Fits
) -> dict[tuple[str, str], dict[int, tuple[float, str]]]:
    """The metric and the id of the record it stands in, by seed, of every row."""
    rows: dict[tuple[str, str], Found] = {}
    for store, table in TABLES.items():
        for row in table["rows"]:
            values: Found = {}
            for results in cells[store]:
                assert results.fit
                if fits(results.fit.cell, table, row):
                    entry, record = results.metrics()[METRIC]
                    assert results.fit.cell.seed not in values
                    values[results.fit.cell.seed] = (entry.value, record.record_id)
            rows[store, row["row"]] = dict(sorted(values.items()))
    return rows


def values(found: Found) -> list[float]:
    return [value for value, _ in found.values()]


def row_of(store: str, name: str) -> dict[str, Any]:
    return next(row for row in TABLES[store]["rows"] if row["row"] == name)


def before(store: str, row: Mapping[str, Any]) -> str:
    if "map" in row:
        return " to ".join(f"{value:.3f}" for value in np.atleast_1d(row["map"]))
    return "ours, not a target" if TABLES[store].get("retrained") else ""


def printed(store: str, row: Mapping[str, Any], found: Found) -> str:
    numbers, ids = values(found), " ".join(record for _, record in found.values())
    spread = f" ± {stdev(numbers):.4f}" if len(numbers) > 1 else ""
    cells = [row["row"], f"{mean(numbers):.4f}{spread}", len(numbers), before(store, row), ids]
    return f"| {' | '.join(map(str, cells))} |"


@pytest.mark.parametrize("store", TABLES)
def test_the_records_are_those_of_the_matrices_as_they_stand(
    store: str, root: Path, cells: dict[str, list[CellResults]]
) -> None:
    files = [root / "matrices" / f"{name}.yaml" for name in TABLES[store]["matrices"]]
    matrices = [load_matrix(file, registry()) for file in files]

    expected = {cell.fit_id for matrix in matrices for cell in expand(matrix, registry()).cells}

    assert {results.fit_id for results in cells[store]} == expected
    assert all(results.fitted for results in cells[store])


@pytest.mark.parametrize("store", TABLES)
def test_the_metrics_follow_from_the_committed_codes(
    store: str, stores: dict[str, Store], cells: dict[str, list[CellResults]]
) -> None:
    for results in cells[store]:
        assert results.fit
        encoded = load_codes(stores[store], results.fit)
        assert isinstance(encoded.query, Codes)
        evaluated = evaluate(
            encoded.query,
            encoded.database,
            encoded.query_labels,
            encoded.database_labels,
            [parse_metric(METRIC)],
            order_seed=order_seed(results.fit.cell.data.protocol_sha256),
        )
        recorded = results.metrics()[METRIC][0]
        np.testing.assert_allclose(recorded.value, evaluated[METRIC].value, rtol=1e-12)


@pytest.mark.parametrize(("store", "name"), ROWS)
def test_a_row_is_near_what_was_measured_before_or_says_that_it_is_not(
    store: str, name: str, found: dict[tuple[str, str], Found]
) -> None:
    table, row = TABLES[store], row_of(store, name)
    seeds = row.get("seeds", SEEDS)
    assert list(found[store, name]) == list(range(seeds))

    reached = mean(values(found[store, name]))
    if "map" in row and table.get("compared", True):
        near = reached == pytest.approx(
            float(np.mean(row["map"])), abs=row.get("tolerance", TOLERANCE)
        )
        assert near == row.get("reached", True)
    elif "above_lsh" in table:
        lsh = mean(values(found[store, "lsh"]))
        assert reached > lsh + row.get("above_lsh", table["above_lsh"])


@pytest.mark.parametrize("store", TABLES)
def test_the_table_is_that_of_the_records(
    store: str, root: Path, found: dict[tuple[str, str], Found]
) -> None:
    rows = [printed(store, row, found[store, row["row"]]) for row in TABLES[store]["rows"]]
    table = "\n".join(rows)

    text = (root / "results" / "README.md").read_text()
    assert table in text, f"results/README.md should hold these rows:\n{table}"


@pytest.mark.parametrize("store", TABLES)
def test_every_record_stands_in_one_row(
    store: str, cells: dict[str, list[CellResults]], fits: Fits
) -> None:
    table = TABLES[store]

    for results in cells[store]:
        assert results.fit
        assert sum(fits(results.fit.cell, table, row) for row in table["rows"]) == 1


def test_both_terms_of_hsc_together_do_better_than_either_alone(
    found: dict[tuple[str, str], Found],
) -> None:
    names = ("L_con alone", "L_cls alone", "L_con and L_cls")
    contrast, classification, both = (found["digits-hsc", name] for name in names)
    for seed in range(SEEDS):
        assert both[seed][0] > max(contrast[seed][0], classification[seed][0])
