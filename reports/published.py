"""Published figures beside measured ones of the same protocol, backbone, cut-off and bits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pandas as pd

from hashbench.core.cell import Cell
from hashbench.core.record import FitRecord
from hashbench.evaluation.names import Div, Family, Metric, Ties, parse_metric
from hashbench.reports.frames import metric_frame
from hashbench.reports.labels import settings_of
from hashbench.reports.table import (
    Table,
    bits_text,
    mean_text,
    records_text,
    span_text,
    text_frame,
)
from hashbench.store.catalogue import CellResults

FILE: Final = Path(__file__).with_name("published.toml")


@dataclass(frozen=True, slots=True)
class Figure:
    """A published value of mAP.

    Attributes:
        source: The publication and the place in it.
        protocol: ``NAME@VERSION``; empty if it is unknown or not a protocol of hashbench.
        dataset: The dataset's name.
        backbone: The backbone's name.
        cutoff: K, or ``all``; empty if it is unknown.
        method: The loss or shallow method.
        bits: The code length; None if it is unknown.
        value: The mAP, in [0, 1].
        settings: Further settings that must be equal, by dotted key.
    """

    source: str
    protocol: str
    dataset: str
    backbone: str
    cutoff: int | str
    method: str
    bits: int | None
    value: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, cell: Cell, metric: Metric) -> bool:
        """Whether a cell's value of a metric may be compared with the figure.

        All figures are of networks pretrained on ImageNet and tuned, or of shallow methods on their
        features. Bounds over ties, other denominators and subsets of a protocol never fit.
        """
        method, data = cell.loss or cell.method, cell.data
        alike = (
            (data.label, self.protocol),
            (cell.backbone.name if cell.backbone else "", self.backbone),
            (method.name if method else "", self.method),
            (cell.bits, self.bits),
            (metric.position, str(self.cutoff)),
        )
        tuned = cell.weights.pretrained and (cell.loss is None or not cell.frozen)
        if not tuned or any(ours != theirs for ours, theirs in alike):
            return False
        settings = settings_of(cell)
        return all(settings.get(key) == value for key, value in self.settings.items())


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """Return all figures of ``published.toml``."""
    document = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(figure for group in document["sets"] for figure in _figures(group, document))


def _figures(group: Mapping[str, Any], document: Mapping[str, Any]) -> list[Figure]:
    lengths = group["bits"] or [None]
    return [
        Figure(
            document["sources"][group["source"]],
            group["protocol"],
            group["dataset"],
            group["backbone"],
            group["cutoff"],
            method,
            bits,
            value,
            group.get("settings", {}),
        )
        for method, values in group["values"].items()
        for bits, value in zip(lengths, values, strict=True)
    ]


def published_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return the measured mAP on protocols and cut-offs that have figures, with those that fit.

    There is one row for each cell, metric and fitting figure, with the columns of `metric_frame`,
    ``published`` and ``source``. A cell without a figure has one row with NaN and an empty source.
    """
    frame = metric_frame(cells)
    if frame.empty:
        return frame
    fits = {results.fit.fit_id: results.fit for results in cells if results.fitted and results.fit}
    return pd.DataFrame(
        [
            {**row, "published": value, "source": source}
            for row in frame.to_dict(orient="records")
            for value, source in _beside(row, fits[row["fit_id"]])
        ]
    )


def _beside(row: Mapping[Any, Any], fit: FitRecord) -> list[tuple[float, str]]:
    """Return the fitting figures as (value, source).

    If the protocol has figures and none fits, the pair (NaN, "") stands for it.
    """
    metric = parse_metric(row["metric"])
    comparable = (
        metric.family is Family.MAP
        and metric.div is Div.HITS
        and metric.ties in (Ties.EXPECTED, Ties.STABLE)
    )
    looked_for = (row["protocol"], metric.position)
    if not comparable or looked_for not in {(f.protocol, str(f.cutoff)) for f in figures()}:
        return []
    found = [(f.value, f.source) for f in figures() if f.fits(fit.cell, metric)]
    return found or [(float("nan"), "")]


def published_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """Return one table for each protocol, device and metric that has published figures."""
    frame = published_frame(cells)
    if frame.empty:
        return []
    groups = frame.groupby(["protocol", "device_name", "metric"], sort=True)
    return [_table(group, trace=trace) for _, group in groups]


def _table(group: pd.DataFrame, *, trace: bool) -> Table:
    rows = [
        _row(part, trace=trace)
        for _, part in group.groupby(["method", "bits", "source"], sort=True)
    ]
    columns = ["method", "bits", "published", "ours", "seeds", "ours less published", "source"]
    name = group["metric"].iloc[0]
    notes = (
        f"metric `{name}`",
        "a figure stands only beside the same protocol, bits, backbone and cut-off; optimiser, "
        "epochs, the draw of the split, the order of ties and the choice of the best epoch may "
        "differ",
        "empty: no figure was seen",
        f"measured on {group['device_name'].iloc[0]}",
        span_text(group["date"]),
    )
    title = f"Published {name.partition('/')[0]} and ours on {group['protocol'].iloc[0]}"
    frame = text_frame(rows, [*columns, *(["records"] if trace else [])])
    return Table(title, frame, notes, name="published", fits=frozenset(group["fit_id"]))


def _row(part: pd.DataFrame, *, trace: bool) -> list[str]:
    theirs = part["published"].iloc[0]
    known = not pd.isna(theirs)
    return [
        part["method"].iloc[0],
        bits_text(part["bits"].iloc[0]),
        f"{theirs:.4g}" if known else "",
        mean_text(part["value"]),
        str(part["seed"].nunique()),
        f"{part['value'].mean() - theirs:+.4f}" if known else "",
        part["source"].iloc[0],
        *([records_text(part)] if trace else []),
    ]
