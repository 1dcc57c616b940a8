"""The unrounded values behind a report's tables: one row for each value, with its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from hashbench.evaluation.names import Family
from hashbench.reports.frames import (
    code_frame,
    convergence_frame,
    failure_frame,
    fit_warnings,
    latency_frame,
    metric_frame,
    phase_frame,
    training_frame,
)
from hashbench.reports.metric_tables import wanted_metrics
from hashbench.reports.published import published_frame
from hashbench.reports.table import FLOAT
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults


def data_frame(name: str, cells: Sequence[CellResults], view: View) -> pd.DataFrame:
    """Return the values behind one table, in an order that depends on the values alone.

    ``training`` has one row for each phase, ``budget`` one for each fit. If a fit's record has
    warnings, a last column ``warnings`` holds those of each row's fit.
    """
    frame = _frame(name, cells, view)
    if frame.empty:
        return frame
    if "bits" in frame:
        frame["bits"] = pd.Series(
            [_bits(bits) for bits in frame["bits"]], frame.index, dtype=object
        )
    by = frame.map(_sortable).sort_values(list(frame.columns), kind="stable").index
    frame = frame.loc[by].reset_index(drop=True)
    warnings = fit_warnings(cells)
    if warnings and "fit_id" in frame:
        frame["warnings"] = ["; ".join(sorted(warnings.get(each, ()))) for each in frame["fit_id"]]
    return frame


def _frame(name: str, cells: Sequence[CellResults], view: View) -> pd.DataFrame:
    if name not in _OF_METRICS:
        return _FRAMES[name](cells)
    frame = convergence_frame(cells) if name == "convergence" else metric_frame(cells)
    wanted = wanted_metrics(frame, view, families=[Family.MAP] if name == "map" else [])
    return wanted.astype({"metric": str}) if len(wanted) else wanted


_OF_METRICS: Final = {"map", "metrics", "ablation", "convergence"}
_FRAMES: Final = {
    "codes": code_frame,
    "training": phase_frame,
    "latency": latency_frame,
    "budget": training_frame,
    "published": published_frame,
    "failures": failure_frame,
}


def _bits(bits: float) -> int | str:
    return "float" if bits == FLOAT else int(bits)


def _sortable(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:030.12f}" if number else str(value)
