"""The tables of a report by name, independent of the format they are written in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from hashbench.evaluation.names import Family
from hashbench.reports.ablation import ablation_tables
from hashbench.reports.cost_tables import budget_tables, latency_tables, training_tables
from hashbench.reports.frames import failure_frame, fit_warnings
from hashbench.reports.metric_tables import code_tables, convergence_tables, metric_tables
from hashbench.reports.published import published_tables
from hashbench.reports.table import Table
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

NOTHING: Final = "No results yet: run a matrix first."
"""The text of a report of no records."""


def nothing_text(cells: Sequence[CellResults], view: View | None) -> str:
    """Return the text of a report without any table."""
    if not cells or view is None:
        return NOTHING
    return f"The records have nothing for {', '.join(view.tables)}."


def build_tables(
    cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None
) -> list[Table]:
    """Return the tables that a view names and the records have values for, in the view's order.

    Without a view all tables are built; ``trace`` adds the ids of the records behind every value.

    Raises:
        ConfigError: If no method has the name that the view gives for the full method.
    """
    view = view or View()
    warnings = fit_warnings(cells)
    return [
        replace(table, warnings=_warning_lines(table.fits, warnings))
        for name in view.tables
        for table in _named(name, cells, view, trace=trace)
    ]


def _warning_lines(
    fits: Collection[str], warnings: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """Return one line for each warning of some fits, with the number of fits that have it."""
    counts = Counter(text for fit_id in fits for text in warnings.get(fit_id, ()))
    cells = "1 cell" if len(fits) == 1 else f"{len(fits):,} cells"
    return tuple(
        f"Warning ({count:,} of {cells}): {text}." for text, count in sorted(counts.items())
    )


def _named(name: str, cells: Sequence[CellResults], view: View, *, trace: bool) -> list[Table]:
    match name:
        case "map":
            tables = metric_tables(cells, trace=trace, view=view, families=[Family.MAP])
        case "metrics":
            tables = metric_tables(cells, trace=trace, view=view)
        case "budget":
            tables = budget_tables(cells, trace=trace, view=view)
        case "convergence":
            tables = convergence_tables(cells, trace=trace, view=view)
        case "ablation":
            tables = ablation_tables(cells, trace=trace, view=view)
        case "failures":
            tables = failure_table(cells)
        case _:
            tables = _WITHOUT_VIEW[name](cells, trace=trace)
    return tables


_WITHOUT_VIEW: Final = {
    "codes": code_tables,
    "training": training_tables,
    "latency": latency_tables,
    "published": published_tables,
}


def failure_table(cells: Sequence[CellResults]) -> list[Table]:
    """Return the table of cells without a result and their causes; no table without any."""
    frame = failure_frame(cells)
    if frame.empty:
        return []
    ordered = frame.astype(str).sort_values(["cell", "what", "record"])
    return [Table("Failures", ordered.reset_index(drop=True), name="failures")]


def provenance(cells: Sequence[CellResults]) -> list[str]:
    """Return one line for each version of the code and the libraries that made the records."""
    fits = [results.fit for results in cells if results.fitted and results.fit]
    return sorted({fit.environment.software for fit in fits})
