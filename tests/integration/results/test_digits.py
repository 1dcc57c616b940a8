"""The committed records on digits: complete, sound, near what was measured before, and printed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.registry import registry
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.methods.losses.hsc import HSC
from hashbench.store.catalogue import CellResults, read_all
from hashbench.store.codes import load_codes
from hashbench.store.store import Store
from hashbench.worker.measure import order_seed

METRIC = "map@all/div=hits/ties=expected/empty=zero"
MATRICES = {"digits": ["digits"], "digits-hsc": ["digits-hsc", "digits-hsc-sweeps"]}
EXPECTED = tomllib.loads(Path(__file__).parents[1].joinpath("digits.toml").read_text())
TOLERANCE = EXPECTED["tolerance"]
SEEDS = [0, 1, 2]

Chosen = Callable[[CellResults], bool]


@pytest.fixture(scope="module")
def stores(root: Path) -> dict[str, Store]:
    return {name: Store.open(root / "results" / name) for name in MATRICES}


@pytest.fixture(scope="module")
def cells(stores: dict[str, Store]) -> dict[str, list[CellResults]]:
    return {name: read_all(store) for name, store in stores.items()}


def values(cells: Iterable[CellResults], chosen: Chosen) -> dict[int, tuple[float, str]]:
    """The metric and the id of the record it stands in, by seed."""
    found = {}
    for results in filter(chosen, cells):
        entry, record = results.metrics()[METRIC]
        assert results.fit and results.fit.cell.seed not in found
        found[results.fit.cell.seed] = (entry.value, record.record_id)
    return dict(sorted(found.items()))


def losses(cells: Iterable[CellResults]) -> list[str]:
    return sorted({r.fit.cell.loss.name for r in cells if r.fit and r.fit.cell.loss})


def of_loss(name: str) -> Chosen:
    return lambda r: bool(r.fit and r.fit.cell.loss and r.fit.cell.loss.name == name)


def of_method(name: str) -> Chosen:
    return lambda r: bool(r.fit and r.fit.cell.method and r.fit.cell.method.name == name)


def of_hsc(params: dict[str, Any]) -> Chosen:
    whole = HSC.Params(**params).model_dump()
    return lambda r: bool(r.fit and r.fit.cell.loss and dict(r.fit.cell.loss.params) == whole)


def row(name: str, found: dict[int, tuple[float, str]], before: str) -> str:
    numbers = [value for value, _ in found.values()]
    spread = f" ± {stdev(numbers):.4f}" if len(numbers) > 1 else ""
    ids = " ".join(record for _, record in found.values())
    return f"| {name} | {mean(numbers):.4f}{spread} | {len(numbers)} | {before} | {ids} |"


def text(before: float | list[float] | None) -> str:
    if before is None:
        return ""
    return " to ".join(f"{value:.3f}" for value in np.atleast_1d(before))


@pytest.mark.parametrize("store", MATRICES)
def test_the_records_are_those_of_the_matrices_as_they_stand(
    store: str, root: Path, cells: dict[str, list[CellResults]]
) -> None:
    files = [root / "matrices" / f"{name}.yaml" for name in MATRICES[store]]
    matrices = [load_matrix(file, registry()) for file in files]

    expected = {cell.fit_id for matrix in matrices for cell in expand(matrix, registry()).cells}

    assert {results.fit_id for results in cells[store]} == expected
    assert all(results.fitted for results in cells[store])


@pytest.mark.parametrize("store", MATRICES)
def test_the_metrics_follow_from_the_committed_codes(
    store: str, stores: dict[str, Store], cells: dict[str, list[CellResults]]
) -> None:
    for results in cells[store]:
        assert results.fit
        encoded = load_codes(stores[store], results.fit)
        assert isinstance(encoded.query, Codes)
        found = evaluate(
            encoded.query,
            encoded.database,
            encoded.query_labels,
            encoded.database_labels,
            [parse_metric(METRIC)],
            order_seed=order_seed(results.fit),
        )
        recorded = results.metrics()[METRIC][0]
        np.testing.assert_allclose(recorded.value, found[METRIC].value, rtol=1e-12)


def test_every_loss_with_a_value_to_reach_is_there(cells: dict[str, list[CellResults]]) -> None:
    assert set(EXPECTED["map"]) <= set(losses(cells["digits"]))


@pytest.mark.parametrize("name", EXPECTED["map"])
def test_the_mean_of_three_seeds_is_what_was_measured_before(
    name: str, cells: dict[str, list[CellResults]]
) -> None:
    found = values(cells["digits"], of_loss(name))

    assert list(found) == SEEDS
    reached = mean(value for value, _ in found.values())
    assert reached == pytest.approx(EXPECTED["map"][name], abs=TOLERANCE)


def test_every_loss_is_well_above_lsh_and_so_is_itq(cells: dict[str, list[CellResults]]) -> None:
    chosen = [of_method("itq"), *(of_loss(name) for name in losses(cells["digits"]))]
    means = [mean(v for v, _ in values(cells["digits"], each).values()) for each in chosen]
    lsh = mean(v for v, _ in values(cells["digits"], of_method("lsh")).values())

    assert min(means) > lsh + 0.15


@pytest.mark.parametrize(
    "ablation", [a for a in EXPECTED["hsc"] if "map" in a], ids=lambda a: a["row"]
)
def test_hsc_is_as_insensitive_as_was_measured_before(
    ablation: dict[str, Any], cells: dict[str, list[CellResults]]
) -> None:
    found = values(cells["digits-hsc"], of_hsc(ablation["params"]))

    assert mean(value for value, _ in found.values()) == pytest.approx(
        float(np.mean(ablation["map"])), abs=TOLERANCE
    )


def test_both_terms_of_hsc_together_do_better_than_either_alone(
    cells: dict[str, list[CellResults]],
) -> None:
    contrast, classification, both, _ = (
        values(cells["digits-hsc"], of_hsc(ablation["params"])) for ablation in EXPECTED["hsc"][:4]
    )
    assert list(contrast) == list(classification) == list(both) == SEEDS
    for seed in SEEDS:
        assert both[seed][0] > max(contrast[seed][0], classification[seed][0])


def test_the_table_of_the_methods_is_that_of_the_records(
    root: Path, cells: dict[str, list[CellResults]]
) -> None:
    rows = [
        row(name, values(cells["digits"], of_loss(name)), text(EXPECTED["map"].get(name)))
        for name in losses(cells["digits"])
    ]
    rows += [row(name, values(cells["digits"], of_method(name)), "") for name in ("itq", "lsh")]

    _is_printed(root, rows)


def test_the_table_of_hsc_is_that_of_the_records(
    root: Path, cells: dict[str, list[CellResults]]
) -> None:
    rows = [
        row(each["row"], values(cells["digits-hsc"], of_hsc(each["params"])), text(each.get("map")))
        for each in EXPECTED["hsc"]
    ]

    assert len(rows) == 12
    _is_printed(root, rows)


def _is_printed(root: Path, rows: list[str]) -> None:
    table = "\n".join(rows)
    printed = (root / "results" / "README.md").read_text()
    assert table in printed, f"results/README.md should hold these rows:\n{table}"
