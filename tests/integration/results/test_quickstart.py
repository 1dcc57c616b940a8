"""The committed quickstart: complete, sound, above its floor, and what the README prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.registry import registry
from hashbench.evaluation.entries import order_seed
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.reports.formats.markdown import render
from hashbench.store.catalogue import CellResults, read_all
from hashbench.store.codes import load_codes
from hashbench.store.store import Store

HEADLINE = "map@all/div=hits/ties=expected/empty=zero"
MARGIN = 0.10


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    return Store.open(root / "results" / "quickstart")


@pytest.fixture(scope="module")
def cells(store: Store) -> list[CellResults]:
    return read_all(store)


def _headlines(cells: list[CellResults]) -> dict[tuple[str, int | None], float]:
    return {
        (results.fit.cell.method_label, results.fit.cell.bits): results.metrics()[HEADLINE][0].value
        for results in cells
        if results.fit
    }


def test_the_records_are_those_of_the_matrix_as_it_stands(
    root: Path, cells: list[CellResults]
) -> None:
    matrix = load_matrix(root / "matrices" / "quickstart.yaml", registry())

    expected = {cell.fit_id for cell in expand(matrix, registry()).cells}

    assert {results.fit_id for results in cells} == expected
    assert all(results.fitted for results in cells)


def test_it_shows_what_it_promises(cells: list[CellResults]) -> None:
    fits = [results.fit.cell for results in cells if results.fit]

    assert len(fits) >= 10
    assert len({cell.backbone.name for cell in fits if cell.backbone}) == 2
    assert len({cell.loss.name for cell in fits if cell.loss}) >= 3
    assert {cell.method.name for cell in fits if cell.method} == {"cosine", "itq", "lsh"}
    assert len({cell.bits for cell in fits if cell.bits}) == 2


def test_every_deep_row_is_well_above_lsh_at_the_same_length(cells: list[CellResults]) -> None:
    values = _headlines(cells)
    deep = {key: value for key, value in values.items() if " + " in key[0]}

    assert len(deep) == 12
    for (method, bits), value in deep.items():
        assert value >= values["lsh on pixels", bits] + MARGIN, (method, bits)


def test_the_metrics_follow_from_the_committed_codes(
    store: Store, cells: list[CellResults]
) -> None:
    checked = 0
    for results in cells:
        if results.fit is None or results.fit.cell.bits is None:
            continue  # the float row's embeddings are too large to commit
        encoded = load_codes(store, results.fit)
        assert isinstance(encoded.query, Codes)
        recorded = results.metrics()
        found = evaluate(
            encoded.query,
            encoded.database,
            encoded.query_labels,
            encoded.database_labels,
            [parse_metric(name) for name in recorded],
            order_seed=order_seed(results.fit.cell.data.protocol_sha256),
        )
        for name, (entry, _) in recorded.items():
            np.testing.assert_allclose(entry.value, found[name].value, rtol=1e-12)
            checked += 1
    assert checked == 16 * 4


def test_the_readme_prints_the_table_of_these_records(root: Path, cells: list[CellResults]) -> None:
    report = render(cells, trace=True)
    section = report.split("## map@all on ")[1].split("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))

    printed = (root / "README.md").read_text().split("<!-- table: results/quickstart -->")[1]

    assert table in printed.split("<!-- end of table -->")[0]


def test_no_committed_number_comes_from_uncommitted_code(cells: list[CellResults]) -> None:
    for results in cells:
        assert results.fit is not None
        assert results.fit.environment.commit
        assert results.fit.environment.dirty_sha256 is None
