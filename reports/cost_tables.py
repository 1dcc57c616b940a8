"""Tables of cost: training time by phase, budget beside quality, and query latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

from hashbench.reports.frames import (
    TRAINING_PHASES,
    latency_frame,
    metric_frame,
    phase_frame,
    skipped_frame,
    training_frame,
)
from hashbench.reports.metric_tables import wanted_metrics
from hashbench.reports.table import (
    Table,
    bits_text,
    mean_text,
    records_text,
    span_text,
    text_frame,
    worded,
)
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

_MIB: Final = 2**20
_TERA: Final = 1e12
_GROUPS: Final = ["protocol", "device_name", "threads_used"]


def training_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """Return one table for each protocol, device and number of threads: training time by phase."""
    frame = training_frame(cells)
    if frame.empty:
        return []
    phases = phase_frame(cells)
    return [
        _training_table(group, phases[phases["record"].isin(group["record"])], trace=trace)
        for _, group in frame.groupby(_GROUPS)
    ]


def _training_table(group: pd.DataFrame, phases: pd.DataFrame, *, trace: bool) -> Table:
    spent = phases[phases["phase"].isin(TRAINING_PHASES)]
    by_phase = spent.pivot_table(index="record", columns="phase", values="seconds", aggfunc="sum")
    shown = [phase for phase in TRAINING_PHASES if phase in by_phase.columns]
    spared, used = bool((group["spared"] > 0).any()), bool(group["utilisation"].notna().any())
    drawn = bool(group["joules"].notna().any())
    rows = [
        [
            *_head(part),
            mean_text(part["seconds"], digits=2),
            *(_phase_text(by_phase, part, phase) for phase in shown),
            *([f"{part['spared'].mean():.2f}"] if spared else []),
            _rate(part["images_per_second"]) if part["epochs"].iloc[0] else "-",
            _rate(part["encode_per_second"]),
            *(
                [_known(part["utilisation"], lambda each: f"{100 * each.mean():.1f} %")]
                if used
                else []
            ),
            *([_known(part["joules"], lambda each: f"{each.mean():,.0f}")] if drawn else []),
            part["recipe"].iloc[0],
            part["precision"].iloc[0],
            *([records_text(part)] if trace else []),
        ]
        for _, part in group.groupby(["method", "bits"], sort=True)
    ]
    columns = [
        *("method", "bits", "seeds", "training s"),
        *(f"{phase} s" for phase in shown),
        *(["of it spared s"] if spared else []),
        *("images/s", "encoding images/s", *(["utilisation"] if used else [])),
        *(["energy J"] if drawn else []),
        *("recipe", "precision", *(["records"] if trace else [])),
    ]
    notes = (
        "training: wall seconds of building, pre-pass, features, epochs and loss state, without "
        "loading, validation and checkpoints; phases are means",
        *([_SPARED] if spared else []),
        "images/s: of the epochs alone",
        *([_UTILISATION] if used else []),
        *_energy_notes(group),
        *_surroundings(group),
    )
    title = f"Training time on {group['protocol'].iloc[0]}"
    return Table(
        title, text_frame(rows, columns), notes, name="training", fits=frozenset(group["fit_id"])
    )


_SPARED: Final = (
    "spared: features that another cell of the run had computed were taken from a cache; the time "
    "they took there is counted in the phases as if it had been spent again"
)
_UTILISATION: Final = (
    "utilisation: arithmetic of the epochs as a share of a large matrix product's rate on the same "
    "device and threads"
)


def budget_tables(cells: Sequence[CellResults], *, trace: bool, view: View) -> list[Table]:
    """Return one table for each protocol, device and number of threads: cost beside quality.

    Quality is the first metric of the view that the records have.
    """
    frame = training_frame(cells)
    if frame.empty:
        return []
    metrics = wanted_metrics(metric_frame(cells), view)
    return [_budget_table(group, metrics, trace=trace) for _, group in frame.groupby(_GROUPS)]


def _budget_table(group: pd.DataFrame, metrics: pd.DataFrame, *, trace: bool) -> Table:
    quality, metric = _quality(group, metrics)
    counted, drawn = (bool(group[each].notna().any()) for each in ("flops", "joules"))
    rows = [
        [
            *_head(part),
            *([_known(part["fit_id"].map(quality), mean_text)] if metric else []),
            _spread(part["epochs"]),
            _spread(part["images_seen"]),
            mean_text(part["seconds"], digits=2),
            f"{part['memory'].max() / _MIB:,.0f}",
            _spread(part["parameters"]),
            *([_known(part["flops"], _tera)] if counted else []),
            *([_known(part["joules"], lambda each: f"{each.mean():,.0f}")] if drawn else []),
            *([records_text(part)] if trace else []),
        ]
        for _, part in group.groupby(["method", "bits"], sort=True)
    ]
    columns = [
        *("method", "bits", "seeds", *([metric.partition("/")[0]] if metric else [])),
        *("epochs", "images seen", "device s", "peak MiB", "parameters"),
        *(["TFLOP"] if counted else []),
        *(["energy J"] if drawn else []),
        *(["records"] if trace else []),
    ]
    notes = [
        *([f"metric `{metric}`"] if metric else []),
        _equality(group),
        "device s: wall seconds of training on the device, features from a cache counted as spent",
        "peak MiB: of the device's memory, on a CPU of the whole process",
        *([_FLOPS] if counted else []),
        *_energy_notes(group),
        *_surroundings(group),
    ]
    title = f"Budget on {group['protocol'].iloc[0]}"
    return Table(
        title,
        text_frame(rows, columns),
        tuple(notes),
        name="budget",
        fits=frozenset(group["fit_id"]),
    )


_FLOPS: Final = (
    "TFLOP: 10^12 floating-point operations of all training images in the network, forward and "
    "backward; without augmentation, pre-pass and encoding"
)


_DRAWN_BY: Final = {
    "nvml": "the whole CUDA device (NVML)",
    "rapl": "all processor packages (RAPL)",
}


def _energy_notes(group: pd.DataFrame) -> list[str]:
    counters = sorted(set(group["energy_source"]) - {""})
    if not counters:
        return []
    drawn_by = " or ".join(_DRAWN_BY.get(counter, counter) for counter in counters)
    return [
        f"energy J: what {drawn_by} drew during training, idle share and other work included; not "
        f"known of fits that were resumed or took features from a cache"
    ]


def _quality(group: pd.DataFrame, metrics: pd.DataFrame) -> tuple[dict[str, float], str]:
    """Return the values by cell of the first metric that a cell of the group has, and its name."""
    if metrics.empty:
        return {}, ""
    own = metrics[metrics["fit_id"].isin(group["fit_id"])]
    own = own[own["device_name"].isin(group["device_name"])]
    if own.empty:
        return {}, ""
    first = own[own["metric"] == own["metric"].min()]
    values = dict(zip(first["fit_id"], first["value"], strict=True))
    return values, str(first["metric"].iloc[0])


def _equality(group: pd.DataFrame) -> str:
    trained = group[group["epochs"] > 0]
    unequal = [
        f"{span_text(trained[column])} {name}"
        for column, name in (("epochs", "epochs"), ("images_seen", "images seen"))
        if trained[column].nunique() > 1
    ]
    if not unequal:
        return "every trained network saw as many images in as many epochs"
    return f"budgets are unequal: {', '.join(unequal)}"


def _head(part: pd.DataFrame) -> list[str]:
    return [part["method"].iloc[0], bits_text(part["bits"].iloc[0]), str(len(part))]


def _surroundings(group: pd.DataFrame) -> list[str]:
    first = group.iloc[0]
    threads = first["threads_used"]
    where = f"measured on {first['device_name']}, {threads} thread{'' if threads == 1 else 's'}"
    return [where, span_text(group["date"])]


def _phase_text(by_phase: pd.DataFrame, part: pd.DataFrame, phase: str) -> str:
    return _known(by_phase[phase].reindex(part["record"]), lambda each: f"{each.mean():.2f}")


def _rate(values: pd.Series[Any]) -> str:
    return f"{values.mean():,.0f}"


def _tera(values: pd.Series[Any]) -> str:
    return worded(float(f"{values.mean() / _TERA:.3g}"))


def _median(values: pd.Series[Any]) -> str:
    return f"{float(values.median()):.3f}"


def _known(values: pd.Series[Any], text: Callable[[pd.Series[Any]], str]) -> str:
    """Return the text of the known values; ``-`` if none is known."""
    known = values.dropna()
    return text(known) if len(known) else "-"


def _spread(values: pd.Series[Any]) -> str:
    """Return one number, or the smallest and the largest of several; ``-`` for zero."""
    return span_text(values) if values.max() else "-"


_RECALL_NOTE: Final = (
    "recall is the share of the k neighbours that are as near as the exact scan's k-th; equal "
    "distances count, whichever the positions"
)


def latency_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """Return one table for each protocol and device: engines by batch and code length."""
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
                *([_known(part["recall"], _median)] if with_recall else []),
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
        shown = text_frame(rows, columns)
        fits = frozenset(group["fit_id"])
        tables.append(Table(title, shown, notes, name="latency", fits=fits))
    return tables


def _unless_said(group: pd.DataFrame) -> str:
    with_encoding = group["engine"].str.endswith("from the image file").any()
    return " except where it says from the image file" if with_encoding else ""


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
    """Return the median if every cell has the percentile; otherwise it would leave cells out."""
    return f"{float(values.median()):.4f}" if values.notna().all() else "-"
