"""Warnings in a fit's record are shown under every table that uses the fit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest

from hashbench.core.record import DataFacts
from hashbench.reports.formats import csv_text, json_text, latex, markdown
from hashbench.reports.html.page import render as page
from hashbench.reports.tables import build_tables
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

INSIDE = "20 of 20 queries are in the database list themselves (first: a_b.png)"
MISSING = "3 images of the lists were missing and are left out"
ONLY_MAP = View(tables=("map",))
ONE = f"Warning (1 of 3 cells): {MISSING}."
TWO = f"Warning (2 of 3 cells): {INSIDE}."


def facts(*warnings: str) -> DataFacts:
    return DataFacts(checksums={}, sizes={"query": 20, "database": 500}, warnings=list(warnings))


@pytest.fixture
def cells(made: Callable[..., CellResults], budget: Callable[..., object]) -> list[CellResults]:
    """Three cells of one protocol, two with warnings, and one of another protocol without any."""
    spent = {"budget": budget(10)}
    return [
        made(0.7, loss="hsc", fit={"data": facts(INSIDE), **spent}),
        made(0.6, loss="csq", fit={"data": facts(INSIDE, MISSING), **spent}),
        made(0.5, loss="dsh", fit=spent),
        made(0.4, loss="dsh", protocol="other@1", fit=spent),
    ]


def test_every_table_of_such_a_fit_has_a_line_for_each_warning(cells: list[CellResults]) -> None:
    tables = build_tables(cells)

    assert {table.name for table in tables} == {"metrics", "training", "budget"}
    for table in tables:
        assert table.warnings == ((TWO, ONE) if "toy@1" in table.title else ())


def test_markdown_has_a_line_for_each_warning_under_the_notes(cells: list[CellResults]) -> None:
    first, _, second = markdown.render(cells, view=ONLY_MAP).partition("## map@all on toy@1")

    assert "Warning" not in first
    assert f".\n\n{TWO}\n\n{ONE}\n" in second


def test_latex_json_and_html_show_the_warnings_of_a_table(cells: list[CellResults]) -> None:
    text = latex.render(cells, view=ONLY_MAP)
    tables = json.loads(json_text.render(cells, view=ONLY_MAP))["tables"]

    assert text.count("Warning (2 of 3 cells)") == 1
    assert "a\\_b.png" in text
    assert sorted(table["warnings"] for table in tables) == [[], [TWO, ONE]]
    assert page(cells, view=ONLY_MAP).count(f'<p class="note">{TWO}</p>') == 1


def test_csv_has_the_warnings_of_each_value_in_a_column_of_its_own(
    cells: list[CellResults],
) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text.render(cells, view=ONLY_MAP))))

    found = {(row["protocol"], row["loss"]): row["warnings"] for row in rows}
    assert found == {
        ("toy@1", "hsc"): INSIDE,
        ("toy@1", "csq"): f"{INSIDE}; {MISSING}",
        ("toy@1", "dsh"): "",
        ("other@1", "dsh"): "",
    }
    assert "warnings" not in csv_text.render(cells[2:], view=ONLY_MAP)


def test_a_pivot_as_csv_has_the_warnings_of_its_table(cells: list[CellResults]) -> None:
    pivot = View(tables=("map",), pivoted=True)

    rows = list(csv.DictReader(io.StringIO(csv_text.render(cells, view=pivot))))

    assert sorted({row["warnings"] for row in rows}) == ["", f"{TWO} {ONE}"]
