"""A report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from hashbench.reports.table import Table
from hashbench.reports.tables import build_tables, nothing_text, provenance
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults


def render(cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None) -> str:
    """Write the tables in Markdown.

    Args:
        cells: The results of every cell.
        trace: Whether to add the id of the record behind every value.
        view: The tables and their layout; all tables if not given.

    Returns:
        Markdown; the same bytes for the same records.
    """
    tables = build_tables(cells, trace=trace, view=view)
    if not tables:
        return f"{nothing_text(cells, view)}\n"
    made_by = "".join(f"- {line}\n" for line in provenance(cells))
    return "\n".join([*(_section(table) for table in tables), f"Made by:\n\n{made_by}"])


def _section(table: Table) -> str:
    body = tabulate(
        [
            [_cell(table, word, (row, column)) for column, word in enumerate(words)]
            for row, words in enumerate(table.frame.values.tolist())
        ],
        headers=list(table.frame.columns),
        tablefmt="github",
        disable_numparse=True,
    )
    notes = [f"{'; '.join(table.notes)}."] if table.notes else []
    lines = "".join(f"\n{line}\n" for line in [*notes, *table.warnings])
    return f"## {table.title}\n\n{body}\n{lines}"


def _cell(table: Table, word: str, place: tuple[int, int]) -> str:
    mark = table.marks.get(place)
    letters = f" <sup>{mark.letters}</sup>" if mark and mark.letters else ""
    return word.replace("|", "\\|") + letters
