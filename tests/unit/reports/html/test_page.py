"""The page as text: complete, self-contained, the same every time, and safe to open."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.record import Cause, FitRecord, Status, seal
from hashbench.reports.html.evidence import ClaimShown, Difference, Evidence
from hashbench.reports.html.page import render
from hashbench.store.catalogue import CellResults
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store

Make = Callable[..., CellResults]
VOID = {"meta", "link", "input", "br", "hr", "img"}
FETCHING = {"src", "href", "xlink:href", "action", "srcset", "poster"}


class Elements(HTMLParser):
    """Collects elements with their attributes; complains of tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.fixture
def results(make_results: Make) -> list[CellResults]:
    history = [{"epoch": n, "total": 4 / n} for n in (1, 2, 3)]
    return [
        make_results(loss, value=value, seed=seed, bits=bits, history=history)
        for loss, value in (("hsc", 0.8), ("csq", 0.7))
        for seed in (0, 1)
        for bits in (16, 32)
    ]


@pytest.fixture
def with_codes(
    results: list[CellResults],
    store_codes: Callable[..., CellResults],
    tiny_split: EncodedSplit,
    tmp_path: Path,
) -> tuple[list[CellResults], Evidence]:
    store = Store.create(tmp_path / "store")
    short = [each for each in results if each.fit and each.fit.cell.bits == 16]
    cells = []
    for each in short:
        assert each.fit is not None
        fit = each.fit.model_copy(update={"cell": replace(each.fit.cell, bits=3)})
        cells.append(store_codes(store, replace(each, fit=fit), tiny_split))
    return cells, Evidence(stores={each.fit_id: store for each in cells})


def test_equal_records_give_equal_bytes(
    with_codes: tuple[list[CellResults], Evidence],
) -> None:
    cells, evidence = with_codes
    assert render(cells, evidence=evidence) == render(cells, evidence=evidence)


def test_tags_nest_and_every_id_is_there_once(
    with_codes: tuple[list[CellResults], Evidence],
) -> None:
    elements = Elements(render(with_codes[0], evidence=with_codes[1]))
    ids = Counter(attributes["id"] for _, attributes in elements.found if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    assert elements.open == []


def test_everything_it_fetches_is_inside_itself(
    with_codes: tuple[list[CellResults], Evidence],
) -> None:
    page = render(with_codes[0], evidence=with_codes[1])
    addresses = [
        value or ""
        for _, attributes in Elements(page).found
        for name, value in attributes.items()
        if name in FETCHING
    ]
    assert addresses
    assert [each for each in addresses if not each.startswith(("#", "data:"))] == []
    assert re.findall(r"@import|url\((?!['\"]?#)", page) == []


def test_every_figure_is_drawn_where_the_records_have_it(
    with_codes: tuple[list[CellResults], Evidence],
) -> None:
    page = render(with_codes[0], evidence=with_codes[1])
    figures = re.findall(r'<figure id="a0-([a-z-]+)">', page)
    assert figures == [
        *("bits", "pr", "at-n", "distances", "balance", "labels", "training", "latency", "epochs")
    ]
    assert "Not drawn" not in page


def test_every_figure_has_words_for_whoever_does_not_see_it(results: list[CellResults]) -> None:
    drawings = [
        attributes
        for _, attributes in Elements(render(results)).found
        if attributes.get("class") == "drawing"
    ]
    assert [len(each["aria-label"] or "") > 40 for each in drawings] == [True] * 4
    assert {each["role"] for each in drawings} <= {"img", "group"}


def test_without_stored_codes_it_says_which_figures_are_not_drawn_and_why(
    results: list[CellResults],
) -> None:
    page = render(results)
    assert "Precision and recall (the stores hold no codes)" in page
    assert 'id="a0-training"' in page


def test_every_link_to_a_record_leads_to_one_inside_the_page(results: list[CellResults]) -> None:
    page = render(results)
    records = data_of(page)["records"]
    linked = {
        record
        for ids in re.findall(r'href="#record-([0-9a-f,]+)"', page)
        for record in ids.split(",")
    }
    assert linked <= set(records)
    evaluations = {each.evaluations[0].record_id for each in results}
    assert evaluations <= linked


def test_a_mean_links_to_the_records_of_all_its_seeds(results: list[CellResults]) -> None:
    page = render(results)
    ids = ",".join(
        each.evaluations[0].record_id
        for each in results
        if each.fit and each.fit.cell.bits == 16 and each.fit.cell.loss
        if each.fit.cell.loss.name == "hsc"
    )
    assert f'<a href="#record-{ids}">0.8000 ± 0.0000</a>' in page


def test_names_out_of_records_are_text_and_never_markup(make_results: Make) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    page = render([make_results(evil, value=0.5)])
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert data_of(page)["arenas"][0]["points"][0]["method"] == f"trunk + {evil}"


def test_a_cell_that_failed_stands_with_its_cause(
    results: list[CellResults], fit_record: FitRecord
) -> None:
    cause = Cause(type="RuntimeError", message="the loss is not finite")
    update = {"status": Status.DIVERGED, "error": cause}
    failed = seal(fit_record.model_copy(update=update))
    page = render([*results, CellResults(failed.fit_id, failed)])
    assert 'id="failures"' in page
    assert "the loss is not finite" in page
    assert "1 cell without codes" in page


def test_without_failures_and_claims_there_are_no_such_parts(results: list[CellResults]) -> None:
    page = render(results)
    assert 'id="failures"' not in page
    assert 'id="claims"' not in page


def test_claims_stand_with_verdict_terms_and_linked_checks(results: list[CellResults]) -> None:
    record = results[0].evaluations[0].record_id
    head = ("better", "verdict", "records")
    claim = ClaimShown(
        *("longer-is-better", "Longer codes are better.", "someone", "undecided", "too few seeds"),
        "Better is higher.",
        head,
        (("hsc", "undecided", record),),
    )
    page = render(results, evidence=Evidence(claims=(claim,)))
    assert '<span class="verdict undecided">undecided</span> Longer codes are better.' in page
    assert "Why undecided: too few seeds." in page
    assert f'<td><a href="#record-{record}">{record}</a></td>' in page


def test_differences_reach_the_programs_by_the_points_they_are_of(
    results: list[CellResults],
) -> None:
    def records(loss: str) -> tuple[str, ...]:
        found = [r for r in results if r.fit and r.fit.cell.loss and r.fit.cell.bits == 32]
        own = [r for r in found if r.fit and r.fit.cell.loss and r.fit.cell.loss.name == loss]
        return tuple(sorted(r.evaluations[0].record_id for r in own))

    metric = "map@all/div=hits/ties=expected/empty=zero"
    gap = Difference(records("hsc"), records("csq"), metric, 0.1, 0.05, 0.15, 0.01, "seeds")
    page = render(results, evidence=Evidence(differences=(gap,)))
    arena = data_of(page)["arenas"][0]
    ((first, second, name, *numbers, over),) = arena["differences"]
    named = [(arena["points"][n]["method"], arena["points"][n]["bits"]) for n in (first, second)]
    assert named == [("trunk + hsc", 32), ("trunk + csq", 32)]
    assert (name, numbers, over) == (metric, [0.1, 0.05, 0.15, 0.01], "seeds")


def test_a_store_without_results_gives_a_page_that_says_so() -> None:
    page = render([])
    assert page.count("No results yet: run a matrix first.") == 2
    assert data_of(page) == {"records": {}, "shared": [], "arenas": []}


def test_a_page_of_2001_records_holds_all_of_them_in_under_four_million_characters(
    many_results: list[CellResults],
) -> None:
    page = render(many_results)
    assert len(data_of(page)["records"]) == 2001
    assert len(page) < 4_000_000
