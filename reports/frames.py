"""Records as tidy data frames: the one place where reports read records.

Every frame has one row for each measured value and begins with the columns that identify it:

==================  ==============================================================================
``dataset``         the dataset's name
``protocol``        the protocol as tables print it; a subset is another protocol
``backbone``        the backbone's name, ``pixels`` without one
``loss``            the loss, or the shallow method
``method``          a label; two different methods of a protocol never share one
``bits``            the code length; infinity for float embeddings
``seed``            the cell's seed
``device_name``     the device the value was measured on
``threads_used``    the number of threads
``date``            when it was measured, ISO
``precision``       the arithmetic
``recipe``          the training recipe, ``-`` without one
``fit_id``          the id of the cell's fit
==================  ==============================================================================

and ends with ``record``, the id of the record that holds the value. A cell without a
value has no row in that frame; an unknown part of a row is NaN. Values that must not be averaged
together (of other protocols, devices, metrics or methods) differ in a column, so that grouping by
all columns but ``seed`` is always safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from hashbench.core.job import LatencySetting
from hashbench.core.record import FitRecord, LatencyRecord
from hashbench.reports.labels import method_labels
from hashbench.store.catalogue import CellResults

TRAINING_PHASES = ("build", "prepass", "features", "train", "loss state", "fit")
VALIDATION = "validation/"
"""The prefix of validation metrics in a fit's history."""


def metric_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each cell and metric: ``metric``, ``value`` and the query counts."""
    return pd.DataFrame(
        [
            {
                **_columns(fit, label),
                "metric": name,
                "value": entry.value,
                "queries": entry.queries,
                "without_relevant": entry.without_relevant,
                "cutoff_exceeds": entry.cutoff_exceeds,
                "record": record.record_id,
            }
            for results, fit, label in _fitted(cells)
            for name, (entry, record) in results.metrics().items()
        ]
    )


def training_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each trained or fitted cell: time, memory, arithmetic and energy.

    ``seconds`` includes ``spared``, the seconds that cached features took in another cell;
    ``images_per_second`` is of the epochs alone; ``memory`` in bytes; ``flops``, of all training
    images forward and backward, ``utilisation`` and ``joules`` of training are NaN where they were
    not measured, and ``energy_source`` is empty then.
    """
    rows = []
    for _, fit, label in _fitted(cells):
        if fit.budget is None:
            continue
        seconds = training_seconds(fit)
        train = fit.phases.get("train", 0.0)
        encode = sum(value for phase, value in fit.phases.items() if phase.startswith("encode"))
        encoded = fit.data.sizes["query"] + fit.data.sizes["database"] if fit.data else 0
        rows.append(
            {
                **_columns(fit, label),
                "seconds": seconds,
                "spared": sum(fit.spared.values()),
                "images_per_second": fit.budget.images_seen / train if train else 0.0,
                "encode_per_second": encoded / encode if encode else 0.0,
                "epochs": fit.budget.epochs,
                "images_seen": fit.budget.images_seen,
                "parameters": fit.budget.parameters,
                "memory": fit.budget.peak_memory_bytes,
                "flops": _flops(fit, fit.budget.images_seen),
                "utilisation": fit.speed.utilisation if fit.speed else float("nan"),
                "joules": fit.energy.joules.get("training") if fit.energy else float("nan"),
                "energy_source": fit.energy.source if fit.energy else "",
                "record": fit.record_id,
            }
        )
    return pd.DataFrame(rows)


def _flops(fit: FitRecord, images: int) -> float:
    return fit.speed.flops_per_image * images if fit.speed else float("nan")


def phase_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each fit and phase: its ``seconds``, of which ``spared``."""
    return pd.DataFrame(
        [
            {
                **_columns(fit, label),
                "phase": phase,
                "seconds": seconds,
                "spared": fit.spared.get(phase, 0.0),
                "record": fit.record_id,
            }
            for _, fit, label in _fitted(cells)
            for phase, seconds in sorted(fit.phases.items())
        ]
    )


def convergence_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each fit, epoch and metric of the held-out part of the training set.

    ``epoch`` counts from 1; ``metric`` and ``value`` as in `metric_frame`.
    """
    return pd.DataFrame(
        [
            {
                **_columns(fit, label),
                "epoch": int(entry["epoch"]),
                "metric": key.removeprefix(VALIDATION),
                "value": float(value),
                "record": fit.record_id,
            }
            for _, fit, label in _fitted(cells)
            for entry in fit.history
            for key, value in sorted(entry.items())
            if key.startswith(VALIDATION)
        ]
    )


def skipped_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each engine left out of a latency measurement, with the reason ``why``."""
    return pd.DataFrame(
        [
            {
                **_columns(fit, label, measured_by=record),
                "engine": left_out.engine,
                "database": left_out.database,
                "why": left_out.why,
                "record": record.record_id,
            }
            for results, fit, label in _fitted(cells)
            for record in results.latencies
            for left_out in record.skipped
        ]
    )


def training_seconds(fit: FitRecord) -> float:
    """Return the wall seconds of training: building, pre-pass, features, epochs and loss state."""
    return sum(fit.phases.get(phase, 0.0) for phase in TRAINING_PHASES)


def code_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each cell and side (query or database) that has code statistics."""
    rows = []
    for results, fit, label in _fitted(cells):
        codes, record = results.codes() or ({}, None)
        rows += [
            {
                **_columns(fit, label),
                "side": side,
                **facts.model_dump(),
                "record": record.record_id if record else "",
            }
            for side, facts in codes.items()
        ]
    return pd.DataFrame(rows)


def latency_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each cell, engine and setting, with percentiles in ms a query."""
    return pd.DataFrame(
        [
            {
                **_columns(fit, label, measured_by=record),
                "engine": engine_label(entry.setting)
                + (" from the image file" if entry.includes_encoding else ""),
                "k": entry.setting.k,
                "batch": entry.setting.batch,
                "threads": entry.threads_used,
                "database": entry.database,
                "resampled_from": entry.resampled_from,
                "p50_ms": entry.p50_ms,
                "p95_ms": entry.p95_ms,
                "p99_ms": entry.p99_ms,
                "p999_ms": entry.p999_ms,
                "queries_per_second": entry.queries_per_second,
                "recall": entry.recall,
                "build_seconds": entry.build_seconds,
                "index_bytes": entry.index_bytes,
                "calls": entry.calls,
                "load": entry.load_average,
                "record": record.record_id,
            }
            for results, fit, label in _fitted(cells)
            for record in results.latencies
            for entry in record.entries
        ]
    )


def engine_label(setting: LatencySetting) -> str:
    """Return an engine's name with the parameters that were given or have a fixed default.

    Example:
        >>> engine_label(LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 8}))
        'faiss_ivf(nprobe=8)'
    """
    known = (f"{key}={value}" for key, value in setting.params.items() if value is not None)
    params = ", ".join(known)
    return f"{setting.engine}({params})" if params else setting.engine


def failure_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """Return one row for each cell without codes and each failed measurement, with the cause."""
    rows = []
    for results in cells:
        records = [results.fit] if results.fit and not results.fitted else results.failures
        rows += [
            {
                "cell": str(results.fit.cell) if results.fit else results.fit_id,
                "what": record.kind,
                "status": record.status.value,
                "cause": record.error.message.partition("\n")[0] if record.error else "",
                "record": record.record_id,
            }
            for record in records
        ]
    return pd.DataFrame(rows)


def fit_warnings(cells: Sequence[CellResults]) -> dict[str, set[str]]:
    """Return the different warnings in fits' records by fit id; fits without any are left out."""
    found: dict[str, set[str]] = {}
    for results in cells:
        if results.fitted and results.fit and results.fit.data and results.fit.data.warnings:
            found.setdefault(results.fit_id, set()).update(results.fit.data.warnings)
    return found


def _fitted(cells: Iterable[CellResults]) -> list[tuple[CellResults, FitRecord, str]]:
    """The cells that have codes, each with its fit and the label of its method."""
    found = [(results, results.fit) for results in cells if results.fitted and results.fit]
    labels = method_labels([fit for _, fit in found])
    return [(results, fit, labels[fit.record_id]) for results, fit in found]


def _columns(
    fit: FitRecord, label: str, *, measured_by: LatencyRecord | None = None
) -> dict[str, Any]:
    """Return the columns that every frame begins with; ``measured_by`` is the fit if not given."""
    record = measured_by or fit
    cell, environment = fit.cell, record.environment
    name = cell.loss or cell.method
    return {
        "dataset": cell.data.name,
        "protocol": cell.data.label,
        "backbone": cell.backbone.name if cell.backbone else "pixels",
        "loss": name.name if name else "?",
        "method": label,
        "bits": cell.bits if cell.bits is not None else float("inf"),
        "seed": cell.seed,
        "device_name": environment.computed_on,
        "threads_used": environment.threads,
        "date": record.finished[:10],
        "precision": cell.precision.value,
        "recipe": _recipe(fit),
        "fit_id": fit.fit_id,
    }


def _recipe(fit: FitRecord) -> str:
    train = fit.cell.train
    if train is None:
        return "-"
    return f"{train.recipe} (modified)" if train.modified else train.recipe
