"""Tables of a report: what stands in each, independent of how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hashbench.evaluation.names import parse_metric
from hashbench.reports.frames import (
    code_frame,
    failure_frame,
    latency_frame,
    metric_frame,
    training_frame,
)
from hashbench.store.catalogue import CellResults

_MIB = 2**20
_FLOAT = float("inf")
_MEASURED_ON = ["device_name", "threads_used"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be written.

    Attributes:
        title: Its heading.
        frame: Cells as text, columns in order.
        notes: What a reader must know to read it.
    """

    title: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def metric_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol, device and metric: methods by code length.

    Args:
        cells: The results of every cell.
        trace: Whether to add record ids.
    """
    frame = metric_frame(cells)
    if frame.empty:
        return []
    names = sorted(frame["metric"].unique(), key=lambda name: parse_metric(name).reading_order)
    frame["metric"] = pd.Categorical(frame["metric"], categories=names)
    keys = ["protocol", "device_name", "metric"]
    groups = frame.groupby(keys, sort=True, observed=True)
    return [_metric_table(group, trace=trace) for _, group in groups]


def _metric_table(group: pd.DataFrame, *, trace: bool) -> Table:
    protocol, device, metric = group.iloc[0][["protocol", "device_name", "metric"]]
    seeds = group.groupby(["method", "bits"])["seed"].nunique()
    same = seeds.min() == seeds.max()
    cells = {
        (method, bits): _cell(rows, n=None if same else len(rows), trace=trace)
        for (method, bits), rows in group.groupby(["method", "bits"], sort=True)
    }
    lengths = sorted(group["bits"].unique())
    order = group.groupby("method")["value"].mean().sort_values(ascending=False, kind="stable")
    rows = [
        [method, *(cells.get((method, bits), "") for bits in lengths)] for method in order.index
    ]
    columns = ["method", *("float" if bits == _FLOAT else f"{bits:.0f} bits" for bits in lengths)]
    spread = "mean ± standard deviation over seeds"
    n = f"n = {seeds.min()} in every cell" if same else "n behind each value"
    notes = [f"metric `{metric}`{_exceeds(group)}", f"{spread}, {n}"]
    empty = int(group["without_relevant"].max())
    if empty:
        notes.append(f"{empty} of the queries have no relevant item")
    notes += [f"measured on {device}", f"{_range_text(group['date'])}"]
    return Table(f"{metric.partition('/')[0]} on {protocol}", _text(rows, columns), tuple(notes))


def _cell(rows: pd.DataFrame, *, n: int | None, trace: bool) -> str:
    text = f"{rows['value'].mean():.4f}"
    if len(rows) > 1:
        text += f" ± {rows['value'].std(ddof=1):.4f}"
    text += "" if n is None else f" (n = {n})"
    return f"{text} [{_records(rows)}]" if trace else text


def _exceeds(group: pd.DataFrame) -> str:
    size = group["cutoff_exceeds"].dropna()
    if size.empty:
        return ""
    cutoff = group["metric"].iloc[0].partition("/")[0].partition("@")[2]
    return f", K={cutoff}>N (N = {size.iloc[0]:.0f}: the whole database)"


def code_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol and device: how evenly codes use their bits, means over seeds."""
    frame = code_frame(cells)
    if frame.empty:
        return []
    columns = ["method", "bits", "side", "seeds", "codes", "distinct", "constant bits"]
    columns += ["bit balance", "bit correlation", "bit entropy", "code entropy"]
    columns += ["records"] if trace else []
    tables = []
    for (protocol, device), group in frame.groupby(["protocol", "device_name"]):
        # The side in falling order: query before database.
        parts = group.groupby(["method", "bits", "side"], sort=True)
        ordered = sorted(parts, key=lambda item: (item[0][0], item[0][1], item[0][2] != "query"))
        rows = [_code_row(part, trace=trace) for _, part in ordered]
        notes = (
            "means over seeds",
            "bit balance: mean of |mean bit|, bits being -1 or +1, so 0 is balanced",
            "bit correlation: mean of |correlation| over the pairs of bits that vary",
            "entropies in bits",
            f"measured on {device}",
            _range_text(group["date"]),
        )
        tables.append(Table(f"Codes on {protocol}", _text(rows, columns), notes))
    return tables


def _code_row(part: pd.DataFrame, *, trace: bool) -> list[Any]:
    first, mean = part.iloc[0], part.mean(numeric_only=True)
    correlations = part["bit_correlation"].dropna()
    return [
        first["method"],
        f"{first['bits']:.0f}",
        first["side"],
        str(len(part)),
        f"{first['items']:,}",
        f"{mean['distinct']:,.1f}",
        f"{mean['constant_bits']:.1f}",
        f"{mean['bit_balance']:.4f}",
        f"{correlations.astype(float).mean():.4f}" if len(correlations) else "-",
        f"{mean['bit_entropy']:.4f}",
        f"{mean['code_entropy']:.4f}",
    ] + ([_records(part)] if trace else [])


def training_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol and device: what each method cost to train and to encode with."""
    frame = training_frame(cells)
    if frame.empty:
        return []
    tables = []
    for (protocol, device, threads), group in frame.groupby(["protocol", *_MEASURED_ON]):
        rows = [
            _training_row(part, trace=trace)
            for _, part in group.groupby(["method", "bits"], sort=True)
        ]
        columns = [
            "method",
            "bits",
            "seeds",
            "training s",
            "images/s",
            "encoding images/s",
            "epochs",
            "parameters",
            "peak MiB",
            "recipe",
            "precision",
        ] + (["records"] if trace else [])
        notes = (
            "training: wall seconds of building, pre-pass, features, epochs and loss state, "
            "without loading, validation and checkpoints",
            "images/s: of the epochs alone",
            f"measured on {device}, {threads} threads",
            _range_text(group["date"]),
        )
        tables.append(Table(f"Training time on {protocol}", _text(rows, columns), notes))
    return tables


def _training_row(part: pd.DataFrame, *, trace: bool) -> list[Any]:
    first = part.iloc[0]
    seconds = f"{part['seconds'].mean():.2f}"
    if len(part) > 1:
        seconds += f" ± {part['seconds'].std(ddof=1):.2f}"
    return [
        first["method"],
        "float" if first["bits"] == _FLOAT else f"{first['bits']:.0f}",
        str(len(part)),
        seconds,
        f"{part['images_per_second'].mean():,.0f}" if first["epochs"] else "-",
        f"{part['encode_per_second'].mean():,.0f}",
        str(first["epochs"]) if first["epochs"] else "-",
        f"{first['parameters']:,}",
        f"{part['memory'].max() / _MIB:,.0f}",
        first["recipe"],
        first["precision"],
    ] + ([_records(part)] if trace else [])


_RECALL_NOTE = (
    "recall is the share of the k neighbours that are as near as the exact scan's k-th; equal "
    "distances count, whichever the positions"
)


def latency_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol and device: engines by batch and code length."""
    frame = latency_frame(cells)
    if frame.empty:
        return []
    tables = []
    for (protocol, device), group in frame.groupby(["protocol", "device_name"]):
        keys = ["engine", "bits", "database", "k", "batch", "threads"]
        tail = [("p99.9 ms", "p999_ms")] if group["p999_ms"].notna().any() else []
        times = [("p50 ms", "p50_ms"), ("p95 ms", "p95_ms"), ("p99 ms", "p99_ms"), *tail]
        with_recall = bool(group["recall"].notna().any())
        rows = [
            [
                *(f"{part:.0f}" if isinstance(part, float) else str(part) for part in key),
                *(_milliseconds(part[column]) for _, column in times),
                f"{part['queries_per_second'].median():,.0f}",
                *([_share(part["recall"])] if with_recall else []),
                f"{part['index_bytes'].max() / 1024:,.0f}",
                str(len(part)),
            ]
            + ([_records(part)] if trace else [])
            for key, part in group.groupby(keys, sort=True)
        ]
        columns = [
            *("engine", "bits", "database", "k", "batch", "threads"),
            *(heading for heading, _ in times),
            *("queries/s", *(["recall"] if with_recall else []), "index KiB", "cells"),
        ] + (["records"] if trace else [])
        notes = (
            f"milliseconds a query, encoding not included{_unless_said(group)}; each figure is the "
            "median over the cells counted in the last column",
            "a percentile p stands only where at least 10 / (1 - p) calls were timed",
            *([_RECALL_NOTE] if with_recall else []),
            *_resampled_notes(group),
            f"measured on {device}, load average {_range(group['load'].round(2))}",
            _range_text(group["date"]),
        )
        tables.append(Table(f"Query latency on {protocol}", _text(rows, columns), notes))
    return tables


def _unless_said(group: pd.DataFrame) -> str:
    with_encoding = group["engine"].str.endswith("from the image file").any()
    return " except where it says from the image file" if with_encoding else ""


def _share(values: pd.Series[Any]) -> str:
    known = values.dropna()
    return f"{float(known.median()):.3f}" if len(known) else "-"


def _resampled_notes(group: pd.DataFrame) -> list[str]:
    resampled = group[group["resampled_from"].notna()]
    if resampled.empty:
        return []
    sizes = ", ".join(f"{size:,}" for size in sorted(resampled["database"].unique()))
    return [f"databases of {sizes} codes were resampled from the method's own codes"]


def _milliseconds(values: pd.Series[Any]) -> str:
    known = values.dropna()
    return f"{float(known.median()):.4f}" if len(known) else "-"


def failure_table(cells: Sequence[CellResults]) -> list[Table]:
    """Cells without a result and why; no table where all is well."""
    frame = failure_frame(cells)
    return [] if frame.empty else [Table("Failures", frame.astype(str))]


def _text(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([[str(value) for value in row] for row in rows], columns=list(columns))


def _records(rows: pd.DataFrame) -> str:
    return " ".join(rows.sort_values(["seed", "record"])["record"])


def _range(values: pd.Series[Any]) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _range_text(values: pd.Series[Any]) -> str:
    low, high = values.min(), values.max()
    return str(low) if low == high else f"{low} to {high}"
