"""A report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from hashbench.reports.tables import (
    Table,
    code_tables,
    failure_table,
    latency_tables,
    metric_tables,
    training_tables,
)
from hashbench.store.catalogue import CellResults


def render(cells: Sequence[CellResults], *, trace: bool = False) -> str:
    """Write all tables of a store.

    Args:
        cells: The results of every cell.
        trace: Whether to add the id of the record behind every value.

    Returns:
        Markdown; the same bytes for the same records.
    """
    tables = [
        *metric_tables(cells, trace=trace),
        *code_tables(cells, trace=trace),
        *training_tables(cells, trace=trace),
        *latency_tables(cells, trace=trace),
        *failure_table(cells),
    ]
    if not tables:
        return "No results yet: run a matrix first.\n"
    return "\n".join([*(_section(table) for table in tables), _provenance(cells)])


def _section(table: Table) -> str:
    body = tabulate(
        [[cell.replace("|", "\\|") for cell in row] for row in table.frame.values.tolist()],
        headers=list(table.frame.columns),
        tablefmt="github",
        disable_numparse=True,
    )
    notes = "; ".join(table.notes)
    return f"## {table.title}\n\n{body}\n" + (f"\n{notes}.\n" if notes else "")


def _provenance(cells: Sequence[CellResults]) -> str:
    environments = [results.fit.environment for results in cells if results.fitted and results.fit]
    lines = {
        f"- hashbench {env.hashbench}, commit {env.commit or 'unknown'}"
        f"{' with uncommitted changes' if env.dirty_sha256 else ''}; python {env.python}; "
        + ", ".join(f"{name} {version}" for name, version in env.libraries.items())
        for env in environments
    }
    return "Made by:\n\n" + "\n".join(sorted(lines)) + "\n"
