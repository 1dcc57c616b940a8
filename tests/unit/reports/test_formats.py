"""LaTeX, CSV and JSON of records written by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.record import Cause, Status
from hashbench.core.registry import Kind, registry
from hashbench.reports.formats import csv_text, json_text, latex, markdown
from hashbench.reports.view import Comparisons, View
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
Made = Callable[..., CellResults]
ONLY_MAP = View(tables=("map",))


@pytest.fixture
def cells(made: Made) -> list[CellResults]:
    """Three losses at two code lengths; the first with two seeds."""
    return [
        made(0.7, loss="hsc", seed=0),
        made(0.8, loss="hsc", seed=1),
        made(0.6, loss="hsc_margin"),
        made(0.5, loss="dsh"),
        made(0.4, loss="dsh", bits=None),
    ]


def rows_of(text: str) -> list[list[str]]:
    body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    return [line.removesuffix(" \\\\").split(" & ") for line in body.splitlines()]


def test_latex_sets_the_best_bold_the_second_underlined_and_raises_letters(
    cells: list[CellResults],
) -> None:
    letters = {
        (MAP, results.evaluations[0].record_id): letter
        for results, letter in zip(cells, ["a", "a", "ab", "b", ""], strict=True)
    }

    text = latex.render(cells, view=replace(ONLY_MAP, comparisons=Comparisons(letters, {MAP: 3})))

    assert rows_of(text) == [
        [
            "alexnet + hsc",
            r"\textbf{0.7500 $\pm$ 0.0707 (n = 2)}\textsuperscript{a}",
            "",
        ],
        [r"alexnet + hsc\_margin", r"\underline{0.6000 (n = 1)}\textsuperscript{ab}", ""],
        ["alexnet + dsh", r"0.5000 (n = 1)\textsuperscript{b}", "0.4000 (n = 1)"],
    ]
    assert "\\begin{tabular}{lrr}\n\\toprule\nmethod & 16 bits & float \\\\\n" in text


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    assert latex.escape(r"50 % of a_b & {c} $d #e ~f ^g \h <i> |j| [k]") == (
        r"50 \% of a\_b \& \{c\} \$d \#e \textasciitilde{}f \textasciicircum{}g "
        r"\textbackslash{}h \textless{}i\textgreater{} \textbar{}j\textbar{} {[}k]"
    )
    assert latex.escape("`x_y` ± 1") == r"\texttt{x\_y} $\pm$ 1"


def failed(results: CellResults) -> CellResults:
    assert results.fit is not None
    error = Cause(type="killed", message="100 % of {memory} & swap_file $gone #1 \\ [x] ~^")
    return CellResults(
        results.fit_id, results.fit.model_copy(update={"status": Status.KILLED, "error": error})
    )


def test_a_whole_latex_report_is_balanced_and_in_plain_characters(
    cells: list[CellResults], made: Made
) -> None:
    text = latex.render([*cells, failed(made(loss="csq"))], trace=True)

    bare = re.sub(r"\\[{}$&%#_\\]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert re.findall(r"\\begin\{(\w+)\}", text).count("table") == text.count("\\end{table}")
    assert re.findall(r"\\begin\{(\w+)\}", text).count("tabular") == text.count("\\end{tabular}")
    assert text.isascii()
    for table in text.split("\\begin{tabular}{")[1:]:
        columns = len(table.partition("}")[0])
        body = table.partition("\\toprule\n")[2].partition("\\bottomrule")[0]
        lines = [line for line in body.splitlines() if line != "\\midrule"]
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {columns}


def test_labels_of_latex_tables_are_all_different(cells: list[CellResults]) -> None:
    labels = re.findall(r"\\label\{([^}]*)\}", latex.render(cells))

    assert len(labels) > 2
    assert len(set(labels)) == len(labels)


def test_csv_has_a_line_a_value_unrounded_with_its_record(cells: list[CellResults]) -> None:
    third = 1 / 3
    odd = cells[0].evaluations[0].metrics[MAP].model_copy(update={"value": third})
    evaluation = cells[0].evaluations[0].model_copy(update={"metrics": {MAP: odd}})
    cells[0] = replace(cells[0], evaluations=(evaluation,))

    found = list(csv.DictReader(io.StringIO(csv_text.render(cells, view=ONLY_MAP))))

    assert sorted((row["loss"], row["bits"], float(row["value"])) for row in found) == [
        ("dsh", "16", 0.5),
        ("dsh", "float", 0.4),
        ("hsc", "16", third),
        ("hsc", "16", 0.8),
        ("hsc_margin", "16", 0.6),
    ]
    assert {row["record"] for row in found} == {c.evaluations[0].record_id for c in cells}


def test_csv_of_a_pivot_is_the_pivot(cells: list[CellResults]) -> None:
    view = View(tables=("map",), rows=("loss",), columns=("bits",), pivoted=True)

    assert csv_text.render(cells, view=view) == (
        "table,loss,16 bits,float\n"
        "map@all on toy@1,hsc,0.7500 ± 0.0707 (n = 2),\n"
        "map@all on toy@1,hsc_margin,0.6000 (n = 1),\n"
        "map@all on toy@1,dsh,0.5000 (n = 1),0.4000 (n = 1)\n"
    )


def test_csv_holds_one_table(cells: list[CellResults]) -> None:
    with pytest.raises(ConfigError, match="--format csv writes one table; name it"):
        csv_text.render(cells)


def test_json_has_the_tables_as_worded_and_the_values_behind_them(
    cells: list[CellResults],
) -> None:
    document = json.loads(json_text.render(cells, view=View(tables=("map", "latency"))))

    (table,) = document["tables"]
    assert table["columns"] == ["method", "16 bits", "float"]
    assert table["rows"][2] == ["alexnet + dsh", "0.5000 (n = 1)", "0.4000 (n = 1)"]
    assert table["marks"][0] == {"row": 0, "column": 1, "rank": 1, "letters": ""}
    values = document["values"]["map"]
    assert {(row["loss"], row["bits"], row["value"]) for row in values} >= {
        ("hsc", 16, 0.7),
        ("dsh", "float", 0.4),
    }
    assert document["values"]["latency"] == []
    assert document["made_by"] == [
        f"hashbench 0.1.0, commit {'c' * 40}; python 3.11.7; torch 2.11.0"
    ]


def test_what_is_not_known_is_null_in_json(made: Made) -> None:
    document = json.loads(json_text.render([made()], view=View(tables=("budget",))))

    assert document["values"]["budget"][0]["utilisation"] is None


@pytest.mark.parametrize("render", [latex.render, json_text.render, markdown.render])
def test_the_same_records_in_any_order_give_the_same_bytes(
    render: Callable[..., str], cells: list[CellResults], made: Made
) -> None:
    more = [*cells, failed(made(loss="csq")), failed(made(loss="dch"))]

    assert render(more[::-1], trace=True) == render(more, trace=True)


def test_csv_too_is_the_same_in_any_order(cells: list[CellResults]) -> None:
    for name in ("map", "budget", "training"):
        view = View(tables=(name,))
        assert csv_text.render(cells[::-1], view=view) == csv_text.render(cells, view=view)


@pytest.mark.parametrize("form", ["csv", "json", "latex", "markdown"])
def test_every_format_is_a_reporter_by_name(form: str, cells: list[CellResults]) -> None:
    render: Any = registry().load(Kind.REPORTER, form)

    assert "0.6" in render(cells, trace=False, view=ONLY_MAP)


def test_records_without_what_is_asked_for_say_so(cells: list[CellResults]) -> None:
    view = View(tables=("latency",))

    assert markdown.render(cells, view=view) == "The records have nothing for latency.\n"
    assert latex.render(cells, view=view) == "% The records have nothing for latency.\n"
    assert csv_text.render(cells, view=view) == ""
