"""``hashbench report`` on small stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from hashbench.core.cell import Cell, Component
from hashbench.core.errors import ExitCode
from hashbench.core.record import DataFacts
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"
DATA = DataFacts(checksums={}, sizes={"query": 80, "database": 500})
NOISE = np.random.default_rng(0).normal(0, 0.05, 80)


@pytest.fixture
def fill(cell: Cell, write_cell: Callable[..., Any]) -> Callable[..., Store]:
    """Write methods with values around their means into a store, three seeds each."""

    def write(folder: Path, means: dict[str, float], *, bits: int = 16, **changes: Any) -> Store:
        store = Store.open(folder) if folder.exists() else Store.create(folder)
        for loss, mean in means.items():
            for seed in range(3):
                rng = np.random.default_rng([seed, *loss.encode()])
                own = replace(cell, loss=Component(loss, 1), seed=seed, bits=bits)
                values = {METRIC: mean + NOISE + rng.normal(0, 0.002, NOISE.size)}
                write_cell(store, own, values, data=DATA, **changes)
        return store

    return write


def table_lines(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("|")]
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines]


def test_rows_columns_and_selection_make_the_table(
    fill: Callable[..., Store], call: Callable[..., Result], tmp_path: Path
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8, "dsh": 0.6})
    fill(tmp_path / "s", {"hsc": 0.9}, bits=32)

    words = ("--store", tmp_path / "s", "--table", "map", "--rows", "loss")
    found = table_lines(call("report", *words, "--cols", "bits", "--where", "loss=hsc"))

    assert [row[0] for row in found] == ["loss", found[1][0], "hsc"]
    assert found[0][1:] == ["16 bits", "32 bits"]


def test_letters_part_methods_that_differ_and_join_those_that_do_not(
    fill: Callable[..., Store], call: Callable[..., Result], tmp_path: Path
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8, "csq": 0.8, "dsh": 0.5})

    text = call("report", "--store", tmp_path / "s", "--table", "map", "--format", "latex").stdout

    letters = {
        line.partition(" &")[0].split()[-1]: line.partition("superscript{")[2].partition("}")[0]
        for line in text.splitlines()
        if "superscript" in line
    }
    assert letters == {"hsc": "a", "csq": "a", "dsh": "b"}
    plain = call("report", "--store", tmp_path / "s", "--format", "latex", "--no-letters").stdout
    assert "superscript" not in plain


def test_an_ablation_has_intervals_around_the_true_difference(
    cell: Cell, write_cell: Callable[..., Any], call: Callable[..., Result], tmp_path: Path
) -> None:
    store = Store.create(tmp_path / "s")
    for params, mean in [({"a": 1, "b": 1}, 0.8), ({"a": 0, "b": 1}, 0.7), ({"a": 1, "b": 0}, 0.8)]:
        for seed in range(3):
            rng = np.random.default_rng([seed, params["a"], params["b"]])
            own = replace(cell, loss=Component("hsc", 1, params), seed=seed)
            values = {METRIC: mean + NOISE + rng.normal(0, 0.01, NOISE.size)}
            write_cell(store, own, values, data=DATA)

    found = table_lines(call("report", "--store", tmp_path / "s", "--table", "ablation"))

    changed = {row[0]: row for row in found[2:]}
    low, high = map(float, changed["loss.a: 1 to 0"][4].strip("[]").split(", "))
    assert low < -0.1 < high < -0.05
    assert changed["loss.a: 1 to 0"][5] == "< 0.0001"
    low, high = map(float, changed["loss.b: 1 to 0"][4].strip("[]").split(", "))
    assert low < 0 < high


def test_a_bundle_without_the_values_of_queries_still_has_its_tables(
    fill: Callable[..., Store], call: Callable[..., Result], tmp_path: Path
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8, "dsh": 0.5})
    for file in (tmp_path / "s").glob("*/per-query-*"):
        file.unlink()

    result = call("report", "--store", tmp_path / "s", "--format", "latex")

    assert result.exit_code == 0
    assert "superscript" not in result.stdout


def test_several_stores_are_one_report_in_which_a_cell_counts_once(
    fill: Callable[..., Store], call: Callable[..., Result], tmp_path: Path
) -> None:
    fill(tmp_path / "a", {"hsc": 0.8})
    fill(tmp_path / "b", {"dsh": 0.5})
    later = {"finished": "2026-02-01T00:00:00.000000+00:00"}
    fill(tmp_path / "b", {"hsc": 0.3}, **later)

    stores = ("--store", tmp_path / "a", "--store", tmp_path / "b")
    result = call("report", *stores, "--table", "map", "--rows", "loss")

    rows = {row[0]: row[1] for row in table_lines(result)[2:]}
    assert rows["dsh"].startswith(("0.49", "0.50"))
    assert rows["hsc"].startswith(("0.29", "0.30"))
    assert "n = 3 in every cell" in result.stdout
    assert result.stderr == "3 cells in several stores: the newest successful fit counts\n"


def test_a_file_is_written_whole_and_the_same_each_time(
    fill: Callable[..., Store], call: Callable[..., Result], tmp_path: Path
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8, "dsh": 0.5})
    words = ("report", "--store", tmp_path / "s", "--format", "latex", "-o")

    written = [tmp_path / "new" / name for name in ("a.tex", "b.tex")]
    results = [call(*words, path) for path in written]

    assert [result.stdout for result in results] == ["", ""]
    assert written[0].read_bytes() == written[1].read_bytes()
    assert sorted((tmp_path / "new").iterdir()) == written


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--table", "mpa"), "--table mpa: unknown table. Did you mean 'map'?"),
        (("--rows", "losss"), "--rows losss: unknown key. Did you mean 'loss'?"),
        (("--cols", "bit"), "--cols bit: unknown key. Did you mean 'bits'?"),
        (("--where", "los=hsc"), "--where los=hsc: unknown key 'los'. Did you mean 'loss'?"),
        (("--format", "latx"), "unknown name 'latx' in reporters. Did you mean 'latex'?"),
        (
            ("--full", "nope"),
            "--full nope: no method has this in its label; the report lists the labels",
        ),
        (
            ("--format", "csv"),
            "--format csv writes one table; name it, e.g. --table map. Known: map, metrics, codes, "
            "training, budget, latency, convergence, ablation, published, failures",
        ),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...],
    line: str,
    fill: Callable[..., Store],
    refused: Callable[..., str],
    tmp_path: Path,
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8})

    assert refused("report", "--store", tmp_path / "s", *words) == f"error: {line}"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--where", "loss=hcs"), "has no loss of hcs. Did you mean 'hsc'?"),
        (("--where", "id=zz"), "is id=zz"),
        (("--metric", "map@7"), f"has no value of {METRIC.replace('all', '7')}. Known: {METRIC}"),
    ],
)
def test_what_selects_nothing_says_what_there_is(
    words: tuple[str, ...],
    line: str,
    fill: Callable[..., Store],
    call: Callable[..., Result],
    tmp_path: Path,
) -> None:
    fill(tmp_path / "s", {"hsc": 0.8})

    result = call("report", "--store", tmp_path / "s", *words)

    assert (result.exit_code, result.stdout) == (ExitCode.NOTHING_SELECTED, "")
    assert line in result.stderr
