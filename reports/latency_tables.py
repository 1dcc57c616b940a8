"""Query latency as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from hashbench.reports.frames import latency_frame, skipped_frame
from hashbench.reports.table import Table, bits_text, records_text, span_text, text_frame
from hashbench.store.catalogue import CellResults

_RECALL_NOTE: Final = (
    "recall is the share of the k neighbours that are as near as the exact scan's k-th; equal "
    "distances count, whichever the positions"
)


def latency_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol and device: engines by batch and code length."""
    frame, skipped = latency_frame(cells), skipped_frame(cells)
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
                *(bits_text(part) if isinstance(part, float) else str(part) for part in key),
                *(_milliseconds(part[column]) for _, column in times),
                f"{part['queries_per_second'].median():,.0f}",
                *([_share(part["recall"])] if with_recall else []),
                f"{part['index_bytes'].max() / 1024:,.0f}",
                str(len(part)),
            ]
            + ([records_text(part)] if trace else [])
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
            "a percentile p stands only where at least 10 / (1 - p) calls were timed in every cell",
            *([_RECALL_NOTE] if with_recall else []),
            *_resampled_notes(group),
            *_skipped_notes(skipped, group),
            f"measured on {device}, load average {span_text(group['load'].round(2))}",
            span_text(group["date"]),
        )
        title = f"Query latency on {protocol}"
        tables.append(Table(title, text_frame(rows, columns), notes, name="latency"))
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


def _skipped_notes(skipped: pd.DataFrame, group: pd.DataFrame) -> list[str]:
    if skipped.empty:
        return []
    own = skipped[skipped["record"].isin(group["record"])]
    facts = own[["engine", "database", "why"]].drop_duplicates().sort_values(["engine", "database"])
    return [
        f"{engine} not measured on {database:,} codes: {why}"
        for engine, database, why in facts.itertuples(index=False)
    ]


def _milliseconds(values: pd.Series[Any]) -> str:
    """The median over cells that all have the percentile; else it would be of other cells."""
    return f"{float(values.median()):.4f}" if values.notna().all() else "-"
