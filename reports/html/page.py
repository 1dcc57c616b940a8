"""The HTML report: one file that contains its styles, scripts, figures and data."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from hashbench.reports.html.decision_data import page_data
from hashbench.reports.html.evidence import ClaimShown, Evidence
from hashbench.reports.html.examples import examples
from hashbench.reports.html.gallery import drawings
from hashbench.reports.html.linked_tables import LinkedTable, entry, linked
from hashbench.reports.html.points import Arena, arenas
from hashbench.reports.table import Table
from hashbench.reports.tables import NOTHING, build_tables, provenance
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

_PROGRAMS: Final = ("start.js", "tables.js", "records.js", "decision.js", "comparison.js")
_FAILURES: Final = "failures"
_HEADINGS: Final = {
    "map": "Retrieval quality",
    "metrics": "Retrieval quality",
    "codes": "Codes",
    "training": "Training",
    "latency": "Query latency",
    "budget": "Budgets",
    "convergence": "Convergence",
    "ablation": "Ablations",
    "published": "Published and ours",
}


def render(
    cells: Sequence[CellResults],
    *,
    trace: bool = False,
    view: View | None = None,
    evidence: Evidence | None = None,
) -> str:
    """Write the page.

    Args:
        cells: The results of every cell.
        trace: Ignored: every value of the page links to its records.
        view: The tables and their layout; all tables if not given.
        evidence: Arrays of the stores, intervals, differences and verdicts; without it, the page
            shows the records alone.

    Returns:
        HTML; the same bytes for the same records and evidence.

    Raises:
        DamagedStoreError: If an artifact does not match its checksum.
    """
    del trace
    known = evidence or Evidence()
    found = arenas(cells, known)
    tables = build_tables(cells, trace=True, view=view)
    page: str = _template().render(
        css=asset("page.css"),
        programs="\n".join(map(asset, _PROGRAMS)),
        data=page_data(found, cells, known),
        arenas=[_shown(arena, number, known) for number, arena in enumerate(found)],
        table_groups=_table_groups(tables),
        failures=[
            linked(table, _FAILURES + "-table") for table in tables if table.name == _FAILURES
        ],
        claims=None if known.claims is None else list(map(_claim, known.claims)),
        note=known.note,
        made_by=provenance(cells),
        nothing=NOTHING,
        counts=_counts(cells),
    )
    return page


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    loaded = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return loaded.from_string(asset("page.html.jinja"))


def asset(name: str) -> str:
    """Return the text of a style sheet, script or template of the page."""
    folder = files("hashbench.reports.html").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _shown(arena: Arena, number: int, evidence: Evidence) -> dict[str, Any]:
    """Return the figures of an arena, and the missing ones with their reasons."""
    found = drawings(arena, f"a{number}", evidence.stores)
    return {
        "key": f"a{number}",
        "title": arena.title,
        "figures": [figure for figure in found if figure.svg],
        "missing": [figure for figure in found if not figure.svg],
        "examples": examples(arena, evidence.stores),
    }


def _table_groups(tables: Sequence[Table]) -> list[tuple[str, list[LinkedTable]]]:
    """Return the tables without the failures, grouped by heading."""
    groups: dict[str, list[LinkedTable]] = {}
    for number, table in enumerate(tables):
        if table.name != _FAILURES:
            title = _HEADINGS.get(table.name, table.name or "More")
            groups.setdefault(title, []).append(linked(table, f"table-{number}"))
    return list(groups.items())


def _claim(claim: ClaimShown) -> dict[str, Any]:
    rows = tuple(tuple(entry(word) for word in row) for row in claim.checks)
    table = LinkedTable(f"claim-{claim.name}", claim.name, claim.head, rows, "")
    return {"claim": claim, "table": table if rows else None}


def _counts(cells: Sequence[CellResults]) -> dict[str, int]:
    fitted = [results for results in cells if results.fitted]
    records = sum(1 + len(r.evaluations) + len(r.latencies) for r in fitted)
    return {"cells": len(fitted), "records": records, "unfitted": len(cells) - len(fitted)}
