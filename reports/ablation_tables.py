"""Ablations as tables: each variant's difference to the full method, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from hashbench.reports.ablation import Family, families
from hashbench.reports.frames import metric_frame
from hashbench.reports.metric_tables import wanted_metrics
from hashbench.reports.table import Table, mean_text, records_text, span_text, text_frame
from hashbench.reports.view import ALL, View
from hashbench.store.catalogue import CellResults

_SMALLEST_P: Final = 1e-4


def ablation_tables(cells: Sequence[CellResults], *, trace: bool, view: View) -> list[Table]:
    """One table a method with variants, code length, protocol and device, by its first metric.

    Args:
        cells: The results of every cell.
        trace: Whether to add record ids.
        view: The metrics wanted, the full method, and the differences that
            `hashbench.judge.compare.marks` computes.

    Raises:
        ConfigError: If the full method named is none.
    """
    frame = wanted_metrics(metric_frame(cells), view)
    if frame.empty:
        return []
    fits = [results.fit for results in cells if results.fitted and results.fit]
    found = families(fits, view.full)
    if view.tables == ALL:  # where not even the full method is known, only who asks is told
        found = [family for family in found if family.full]
    tables = (_table(family, frame, view, trace=trace) for family in found)
    return [table for table in tables if table is not None]


def _table(family: Family, frame: pd.DataFrame, view: View, *, trace: bool) -> Table | None:
    bits = family.bits if family.bits is not None else float("inf")
    own = frame[
        (frame["protocol"] == family.protocol)
        & (frame["device_name"] == family.device_name)
        & (frame["bits"] == bits)
        & frame["method"].isin(family.records)
    ]
    if own.empty:
        return None
    metric = str(own["metric"].min())
    by_method = own[own["metric"] == metric].groupby("method")
    parts = {str(label): part for label, part in by_method}
    title = f"Ablation of {family.name} at {_bits(family)} on {family.protocol}"
    if not family.full or family.full not in parts:
        return Table(title, *_unknown(parts), name="ablation")
    labels = [family.full, *sorted(label for label in parts if label != family.full)]
    rows = [_row(family, label, parts[label], view, trace=trace) for label in labels]
    columns = ["what is changed", "seeds", metric.partition("/")[0]]
    columns += ["difference", "95 % interval", "p (Holm)", *(["records"] if trace else [])]
    notes = (
        f"metric `{metric}`, mean ± standard deviation over seeds",
        f"full method: {family.full}, {family.why}",
        "difference: less the full method, under the seeds that both have; intervals, over new "
        "seeds and queries, each at 95 % for itself; p-values corrected over all ablations here",
        f"measured on {family.device_name}",
        span_text(own["date"]),
    )
    return Table(title, text_frame(rows, columns), notes, name="ablation")


def _unknown(parts: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    rows = [[label, str(len(part)), mean_text(part["value"])] for label, part in parts.items()]
    note = "which of these is the full method is not known; name it with --full"
    return text_frame(rows, ["variant", "seeds", "value"]), (note,)


def _bits(family: Family) -> str:
    return "float" if family.bits is None else f"{family.bits} bits"


def _row(family: Family, label: str, part: pd.DataFrame, view: View, *, trace: bool) -> list[str]:
    head = [
        family.changes.get(label, "nothing: the full method"),
        str(part["seed"].nunique()),
        mean_text(part["value"]),
    ]
    tail = [records_text(part)] if trace else []
    known = view.comparisons.differences
    found = [known.get((row["metric"], row["record"])) for _, row in part.iterrows()]
    difference = next((each for each in found if each is not None), None)
    if difference is None:
        return [*head, "", "", "", *tail]
    p = f"< {_SMALLEST_P:g}" if difference.p < _SMALLEST_P else f"{difference.p:.4f}"
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return [*head, f"{difference.mean:+.4f}", interval, p, *tail]
