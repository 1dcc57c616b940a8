"""The committed baseline of the gate: the cells of its matrix, all of them well."""

from __future__ import annotations

from pathlib import Path

from hashbench.core.registry import registry
from hashbench.judge.gate.check import Limits, check
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.request import build_request
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store


def test_the_baseline_holds_what_its_matrix_asks_for(root: Path) -> None:
    matrix = load_matrix(root / "matrices" / "ci.yaml", registry())
    expansion = expand(matrix, registry())
    cells = read_all(Store.open(root / "results" / "ci"))
    assert {results.fit_id for results in cells} == {cell.fit_id for cell in expansion.cells}
    wanted = build_request(matrix, expansion)
    assert all(set(results.metrics()) == set(wanted.metrics) for results in cells)


def test_the_baseline_passes_against_itself(root: Path) -> None:
    cells = read_all(Store.open(root / "results" / "ci"))
    found = check(cells, cells, limits=Limits())
    assert not found.failed
    assert {row.verdict for row in found.rows} <= {"equal", "as fast"}
