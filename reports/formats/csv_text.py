"""A report as CSV: the values of one table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hashbench.core.errors import ConfigError
from hashbench.reports.plain_data import data_frame
from hashbench.reports.tables import build_tables
from hashbench.reports.view import TABLES, View
from hashbench.store.catalogue import CellResults


def render(cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None) -> str:
    """Write the unrounded values of one table, one line each, with their records.

    If the view has rows or columns, the pivot is written instead, with means and deviations as in
    the other formats.

    Args:
        cells: The results of every cell.
        trace: Whether to add record ids to a pivot; single values always have theirs.
        view: The view, which must name one table.

    Returns:
        CSV with one header; empty without any value. The same bytes for the same records.

    Raises:
        ConfigError: If the view has several tables, whose columns differ.
    """
    view = view or View()
    if len(view.tables) != 1:
        raise ConfigError(
            f"--format csv writes one table; name it, e.g. --table map. Known: {', '.join(TABLES)}"
        )
    frame = (
        _pivots(cells, view, trace=trace)
        if view.pivoted
        else data_frame(view.tables[0], cells, view)
    )
    return "" if frame.empty else str(frame.to_csv(index=False, lineterminator="\n"))


def _pivots(cells: Sequence[CellResults], view: View, *, trace: bool) -> pd.DataFrame:
    parts = []
    for table in build_tables(cells, trace=trace, view=view):
        part = table.frame.copy()
        part.insert(0, "table", table.title)
        if table.warnings:
            part["warnings"] = " ".join(table.warnings)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
