"""How fast methods learn: metrics of the held-out part of the training set, by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from hashbench.reports.frames import convergence_frame
from hashbench.reports.metric_tables import wanted_metrics
from hashbench.reports.table import (
    Table,
    bits_text,
    mean_text,
    records_text,
    span_text,
    text_frame,
)
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

_AT_MOST: Final = 8  # epochs that fit beside each other


def convergence_tables(cells: Sequence[CellResults], *, trace: bool, view: View) -> list[Table]:
    """One table a protocol, device and metric: methods by epoch.

    Args:
        cells: The results of every cell.
        trace: Whether to add record ids.
        view: The metrics wanted.
    """
    frame = wanted_metrics(convergence_frame(cells), view)
    if frame.empty:
        return []
    groups = frame.groupby(["protocol", "device_name", "metric"], sort=True, observed=True)
    return [_table(group, trace=trace) for _, group in groups]


def _table(group: pd.DataFrame, *, trace: bool) -> Table:
    known = sorted(group["epoch"].unique())
    epochs = _some(known)
    rows = []
    for _, part in group.groupby(["method", "bits"], sort=True):
        by_epoch = dict(iter(part.groupby("epoch")["value"]))
        at = [mean_text(by_epoch[epoch]) if epoch in by_epoch else "" for epoch in epochs]
        head = [part["method"].iloc[0], bits_text(part["bits"].iloc[0])]
        seeds = str(part["seed"].nunique())
        rows.append([*head, seeds, *at, *([records_text(part)] if trace else [])])
    columns = ["method", "bits", "seeds", *(f"epoch {epoch}" for epoch in epochs)]
    name, protocol = str(group["metric"].iloc[0]), group["protocol"].iloc[0]
    notes = (
        f"metric `{name}` of the images held out of training, searched among those trained on; "
        "the queries play no part",
        "mean ± standard deviation over seeds",
        *([f"{len(epochs)} of {len(known)} epochs measured"] if len(epochs) < len(known) else []),
        f"measured on {group['device_name'].iloc[0]}",
        span_text(group["date"]),
    )
    frame = text_frame(rows, [*columns, *(["records"] if trace else [])])
    title = f"Convergence of {name.partition('/')[0]} on {protocol}"
    return Table(title, frame, notes, name="convergence")


def _some(epochs: Sequence[int]) -> list[int]:
    """A few of the epochs, evenly spread, with the first and the last."""
    if len(epochs) <= _AT_MOST:
        return list(epochs)
    return [epochs[at] for at in np.linspace(0, len(epochs) - 1, _AT_MOST).round().astype(int)]
