"""The tables of a report, by name: what stands in each, independent of how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hashbench.evaluation.names import Family
from hashbench.reports.ablation_tables import ablation_tables
from hashbench.reports.code_tables import code_tables
from hashbench.reports.convergence_tables import convergence_tables
from hashbench.reports.cost_tables import budget_tables, training_tables
from hashbench.reports.frames import failure_frame
from hashbench.reports.latency_tables import latency_tables
from hashbench.reports.metric_tables import metric_tables
from hashbench.reports.published import published_tables
from hashbench.reports.table import Table
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

__all__ = [
    "NOTHING",
    "Table",
    "ablation_tables",
    "budget_tables",
    "build_tables",
    "code_tables",
    "convergence_tables",
    "failure_table",
    "latency_tables",
    "metric_tables",
    "nothing_text",
    "provenance",
    "published_tables",
    "training_tables",
]

NOTHING: Final = "No results yet: run a matrix first."
"""What a report of no records says."""


def nothing_text(cells: Sequence[CellResults], view: View | None) -> str:
    """What a report without any table says.

    Args:
        cells: The results of every cell.
        view: What was wanted.
    """
    if not cells or view is None:
        return NOTHING
    return f"The records have nothing for {', '.join(view.tables)}."


def build_tables(
    cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None
) -> list[Table]:
    """All tables that a view asks for and the records have anything for, in the view's order.

    Args:
        cells: The results of every cell.
        trace: Whether to add the ids of the records behind every value.
        view: What is wanted; all of it if not given.

    Raises:
        ConfigError: If the view names a full method that is none.
    """
    view = view or View()
    return [table for name in view.tables for table in _named(name, cells, view, trace=trace)]


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
    """Cells without a result and why; no table where all is well.

    Args:
        cells: The results of every cell.
    """
    frame = failure_frame(cells)
    if frame.empty:
        return []
    ordered = frame.astype(str).sort_values(["cell", "what", "record"])
    return [Table("Failures", ordered.reset_index(drop=True), name="failures")]


def provenance(cells: Sequence[CellResults]) -> list[str]:
    """What made the records: a line for each state of the code and the libraries, sorted.

    Args:
        cells: The results of every cell.
    """
    fits = [results.fit for results in cells if results.fitted and results.fit]
    return sorted({fit.environment.software for fit in fits})
