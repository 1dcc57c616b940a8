"""LaTeX reports compile with pdflatex, whatever the names of methods and causes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from hashbench.core.record import Cause, Status
from hashbench.reports.formats import latex
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

Made = Callable[..., CellResults]
HOSTILE = {
    "--select": "-{}-select",
    "---": "-{}-{}-",
    ",,low'' quotes": ",{},low'{}' quotes",
    "*starred": "{*}starred",
    "[optional]": "{[}optional]",
    "a & b \\\\ c": r"a \& b \textbackslash{}\textbackslash{} c",
    r"\end{tabular}": r"\textbackslash{}end\{tabular\}",
    "50 % off_by~one^2 #3 $x$": (r"50 \% off\_by\textasciitilde{}one\textasciicircum{}2 \#3 \$x\$"),
    'say "<|>"': r"say \textquotedbl{}\textless{}\textbar{}\textgreater{}\textquotedbl{}",
    "one ` tick": r"one \textasciigrave{} tick",
    "`--x_y` is code": r"\texttt{-{}-x\_y} is code",
    "two\n\nparagraphs\tand tabs": "two paragraphs and tabs",
    "café Ångström": "café Ångström",
    "\x1b[2J 中 …": r"U+001B{[}2J U+4E2D \ldots{}",
}


@pytest.mark.parametrize(("name", "written"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_a_name_is_printed_as_it_is_spelt(name: str, written: str) -> None:
    assert latex.escape(name) == written


def environments(text: str) -> list[str]:
    """Names of the environments, in the order they are closed; each inside the one before it."""
    open_ones: list[str] = []
    closed = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if what == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
            closed.append(name)
    assert not open_ones
    return closed


def without_escapes(text: str) -> str:
    return re.sub(r"\\[{}$&%#_\\]", "", text)


def assert_compiles_by_structure(text: str) -> None:
    assert environments(text).count("tabular") == environments(text).count("table") > 0
    bare = without_escapes("\n".join(line for line in text.splitlines() if line[:1] != "%"))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#~]|[^\x20-\xff\n]", bare)
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{(\w+)\}\n\\toprule\n(.*?)\\bottomrule", text, flags=re.DOTALL
    ):
        lines = [line for line in body.splitlines() if line != r"\midrule"]
        assert all(line.endswith(r" \\") for line in lines)
        assert {without_escapes(line[:-3]).count("&") + 1 for line in lines} == {len(columns)}
        assert not any(line.startswith(("[", "*")) for line in lines)


def failed(results: CellResults, message: str) -> CellResults:
    assert results.fit is not None
    cause = Cause(type="E", message=message)
    changes = {"status": Status.FAILED, "error": cause}
    return CellResults(results.fit_id, results.fit.model_copy(update=changes))


def test_a_report_of_hostile_names_is_balanced_with_equal_columns_in_every_row(made: Made) -> None:
    good = [
        made(0.1 * number, loss=name, backbone=name[::-1], protocol=f"{name}@1")
        for number, name in enumerate(HOSTILE)
    ]
    bad = [failed(made(loss="dch", seed=9 + n), name) for n, name in enumerate(HOSTILE)]
    assert_compiles_by_structure(latex.render([*good, *bad], trace=True))


def test_every_table_is_shrunk_to_the_text_and_says_what_that_needs(made: Made) -> None:
    text = latex.render([made()])
    assert text.startswith(
        "% Needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and \\usepackage{graphicx}.\n"
    )
    boxes = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" + "\n\\begin{tab"
    assert text.count(boxes) == text.count("\\begin{table}") == text.count("\\end{tabular}}\n") > 2


def test_a_table_longer_than_a_page_is_several_with_the_notes_behind_the_last(made: Made) -> None:
    cells = [made(n / 100, loss=f"loss{n:02d}") for n in range(81)]
    text = latex.render(cells, view=replace(View(), tables=("map",)))
    assert_compiles_by_structure(text)
    parts = text.split("\\begin{table}")[1:]
    assert [part.count("alexnet + ") for part in parts] == [40, 40, 1]
    captions = re.findall(r"\\caption\{(.*)\}", text)
    assert captions == [f"map@all on toy@1 ({n} of 3)" for n in (1, 2, 3)]
    assert len(set(re.findall(r"\\label\{(.*)\}", text))) == 3
    assert text.count(r"\textbf{") == text.count(r"\underline{") == 1
    assert [r"\footnotesize" in part for part in parts][:2] == [False, False]
