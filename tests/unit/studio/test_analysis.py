"""Figures, the choice of a method and the paired test, on records that are committed."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext
from hashbench.studio.tabs.analysis_data import Analysis, AnalysisSource
from hashbench.studio.tabs.analysis_tab import AnalysisHandlers
from hashbench.studio.tabs.analysis_view import comparison_html, decision_program, style

DIGITS = "digits@1 on AMD EPYC"
MARKUP = "<img src=x onerror=alert(1)>"


class Data(HTMLParser):
    """The text of the element that the programs read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self._inside else ""


@pytest.fixture(scope="module")
def source(root: Path) -> AnalysisSource:
    return AnalysisSource(root / "results" / "ci")


@pytest.fixture(scope="module")
def digits(source: AnalysisSource) -> Analysis:
    return source.analysis(DIGITS)


@pytest.fixture(scope="module")
def handlers(root: Path) -> AnalysisHandlers:
    return AnalysisHandlers(StudioContext(root / "results" / "ci", (root,)))


def test_arenas_are_listed_and_read_once_while_records_are_the_same(
    source: AnalysisSource, digits: Analysis
) -> None:
    titles, problems = source.titles()
    assert (titles[0], len(titles), problems) == (DIGITS, 2, [])
    assert source.analysis(DIGITS) is digits
    with pytest.raises(ConfigError, match="no results of gone any more"):
        source.analysis("gone")


def test_two_runs_are_compared_query_by_query(digits: Analysis) -> None:
    (_, first), (_, second) = digits.runs()[:2]
    metric = digits.metrics()[0]
    row = digits.compare(first, second, metric)

    values = {}
    for point in digits.arena.points:
        (results,) = point.cells
        (record,) = (r for r in results.evaluations if metric in r.metrics)
        store = digits.evidence.stores[results.fit_id]
        values[point.method] = store.read_arrays(record.fit_id, record.artifacts["per_query"])
    one, two = (values[key.split("\n")[0]][metric] for key in (first, second))
    difference = one - two
    assert row.effect.mean == pytest.approx(difference.mean(), abs=1e-12)
    assert (row.wins, row.losses) == ((difference > 1e-12).sum(), (difference < -1e-12).sum())
    assert row.wins + row.ties + row.losses == len(difference)
    assert row.effect.low <= row.effect.mean <= row.effect.high
    back = digits.compare(second, first, metric)
    assert back.effect.mean == pytest.approx(-row.effect.mean)
    assert (back.wins, back.losses) == (row.losses, row.wins)


def test_what_cannot_be_compared_is_told(digits: Analysis, handlers: AnalysisHandlers) -> None:
    (_, first), (_, second) = digits.runs()[:2]
    with pytest.raises(ConfigError, match="two different runs"):
        digits.compare(first, first, digits.metrics()[0])
    with pytest.raises(ConfigError, match="choose the runs again"):
        digits.compare(first, "gone\n16", digits.metrics()[0])
    with pytest.raises(ConfigError, match=r"has no values of map@7/\S+ for each query"):
        digits.compare(first, second, "map@7/div=hits/ties=expected/empty=zero")
    assert "Choose two runs and a metric" in handlers.compare(DIGITS, first, None, None)
    assert "no results of gone" in handlers.compare("gone", first, second, digits.metrics()[0])


def test_the_comparison_names_the_better_run_whichever_comes_first(digits: Analysis) -> None:
    (_, first), (_, second) = digits.runs()[:2]
    metric = digits.metrics()[0]
    shown = [
        comparison_html(digits.compare(first, second, metric), metric, ("A", "B")),
        comparison_html(digits.compare(second, first, metric), metric, ("B", "A")),
    ]
    verdicts = {re.findall(r"<strong>(.*?)</strong>", html)[0] for html in shown}
    assert len(verdicts) == 1
    html = comparison_html(digits.compare(first, second, metric), metric, (MARKUP, MARKUP))
    assert MARKUP not in html and "&lt;img" in html


def test_the_choice_of_a_method_gets_every_run_with_its_interval(
    digits: Analysis, handlers: AnalysisHandlers
) -> None:
    first, second, metric, html, _ = handlers.read(DIGITS, None, None, None)
    assert [key for _, key in first["choices"]] == [key for _, key in digits.runs()]
    assert first["value"] != second["value"]
    assert metric["value"] == digits.arena.metric
    data = json.loads(Data(html).text)
    (arena,) = data["arenas"]
    assert [point["method"] for point in arena["points"]] == [p.method for p in digits.arena.points]
    for point, known in zip(arena["points"], digits.arena.points, strict=True):
        mean, _, low, high, n, _ = point["metrics"][digits.arena.metric]
        assert low <= mean <= high and n == len(known.cells)
    for name in re.findall(r'getElementById\("([\w-]+)"\)', decision_program()):
        form_makes = name.startswith("decision-") and name not in (
            "decision-form",
            "decision-answer",
        )
        assert form_makes or f'id="{name}"' in html


def test_figures_are_drawn_with_no_link_that_leads_nowhere(handlers: AnalysisHandlers) -> None:
    html = handlers.draw(DIGITS)
    drawn = set(re.findall(r'<figure id="figure-([\w-]+)"', html))
    assert {"bits", "pr", "at-n", "training", "latency"} <= drawn
    assert "Not drawn: Labels that occur together (every image has one label)." in html
    assert "#record-" not in html
    assert "<script" not in html
    assert handlers.draw(None) == ""


def test_the_style_holds_within_the_report_alone() -> None:
    rules = re.sub(r"\.hb-report \{.*", "", style(), flags=re.DOTALL)
    assert rules == "<style>"
    assert "--series-8" in style() and "prefers-color-scheme" not in style()
    assert style().count("{") == style().count("}")


def test_an_empty_store_says_so(context: StudioContext) -> None:
    arena, status = AnalysisHandlers(context).opened(None)
    assert (arena["choices"], arena["value"]) == ([], None)
    assert "no results yet" in status


def test_a_damaged_record_is_told_and_the_rest_is_shown(root: Path, context: StudioContext) -> None:
    cells = sorted(path for path in (root / "results" / "ci").iterdir() if path.is_dir())
    for folder in cells:
        shutil.copytree(folder, context.store / folder.name)
    (context.store / cells[0].name / next(cells[0].glob("fit-*.json")).name).write_text("{")
    titles, problems = AnalysisSource(context.store).titles()
    assert titles
    (line,) = problems
    assert cells[0].name in line


def test_the_report_is_made_by_the_command_and_offered(context: StudioContext) -> None:
    handlers = AnalysisHandlers(context)
    download, status = handlers.report()
    assert status == ""
    assert download["interactive"] is True
    text = Path(download["value"]).read_text()
    assert text.startswith("<!DOCTYPE html>") and "hashbench report" in text
