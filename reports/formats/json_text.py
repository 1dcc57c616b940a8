"""A report as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hashbench.reports.plain_data import data_frame
from hashbench.reports.table import Table
from hashbench.reports.tables import build_tables, provenance
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults


def render(cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None) -> str:
    """Write the tables as in the other formats, and the unrounded values behind each.

    Args:
        cells: The results of every cell.
        trace: Whether to add record ids to the tables; single values always have theirs.
        view: The tables and their layout; all tables if not given.

    Returns:
        An object with ``tables`` (``name``, ``title``, ``columns``, ``rows``, ``notes``,
        ``warnings``, ``marks``), ``values`` (rows by name of the table) and ``made_by``. Unknown
        values are null. The same bytes for the same records.
    """
    view = view or View()
    document = {
        "tables": [_table(table) for table in build_tables(cells, trace=trace, view=view)],
        "values": {name: _rows(name, cells, view) for name in view.tables},
        "made_by": provenance(cells),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(table: Table) -> dict[str, Any]:
    marks = [
        {"row": row, "column": column, "rank": mark.rank, "letters": mark.letters}
        for (row, column), mark in table.marks.items()
    ]
    return {
        "name": table.name,
        "title": table.title,
        "columns": list(table.frame.columns),
        "rows": table.frame.values.tolist(),
        "notes": list(table.notes),
        "warnings": list(table.warnings),
        "marks": marks,
    }


def _rows(name: str, cells: Sequence[CellResults], view: View) -> list[dict[str, Any]]:
    frame = data_frame(name, cells, view)
    return [
        {str(key): _plain(value) for key, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
