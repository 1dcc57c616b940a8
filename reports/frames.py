"""Records as tidy data frames: the one place where reports read records.

Every frame has one row a measured value and begins with the columns that tell it from others:

==================  ==============================================================================
``dataset``         the dataset's name
``protocol``        the protocol as tables print it; a subset is another protocol
``backbone``        the backbone's name, ``pixels`` without one
``loss``            the loss, or the shallow method
``method``          a label that no two different methods share on a protocol
``bits``            the code length; infinity for float embeddings
``seed``            the cell's seed
``device_name``     the device that measured
``threads_used``    its threads
``date``            when it was measured, ISO
``precision``       the arithmetic
``recipe``          the training recipe, ``-`` without one
``fit_id``          the cell
==================  ==============================================================================

and ends with ``record``, the id of the record that holds the value. A cell without a value of a
kind has no row in that frame; a part of a row that is not known is NaN. What must not be averaged
together (protocols, devices, metrics, methods) differs in a column, so that grouping by all columns
but ``seed`` is always safe.
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
"""What a metric of the history is called, before its name."""


def metric_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a cell and metric: ``metric``, ``value``, ``record`` and the cell's columns.

    Args:
        cells: The results of every cell.
    """
    labels = method_labels([fit for _, fit in _fitted(cells)])
    return pd.DataFrame(
        [
            {
                **_columns(fit, labels, measured_by=fit),
                "metric": name,
                "value": entry.value,
                "queries": entry.queries,
                "without_relevant": entry.without_relevant,
                "cutoff_exceeds": entry.cutoff_exceeds,
                "record": record.record_id,
            }
            for results, fit in _fitted(cells)
            for name, (entry, record) in results.metrics().items()
        ]
    )


def training_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a trained or fitted cell: what it cost.

    ``seconds`` counts ``spared``, the seconds that cached features took in another cell;
    ``images_per_second`` is of the epochs alone; ``memory`` in bytes; ``flops``, of all training
    images forward and backward, ``utilisation`` and ``joules`` of training are NaN where they were
    not measured, and ``energy_source`` is empty then.

    Args:
        cells: The results of every cell.
    """
    rows = []
    labels = method_labels([fit for _, fit in _fitted(cells)])
    for _, fit in _fitted(cells):
        if fit.budget is None:
            continue
        seconds = training_seconds(fit)
        train = fit.phases.get("train", 0.0)
        encode = sum(value for phase, value in fit.phases.items() if phase.startswith("encode"))
        encoded = fit.data.sizes["query"] + fit.data.sizes["database"] if fit.data else 0
        rows.append(
            {
                **_columns(fit, labels, measured_by=fit),
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
    """One row a fit and phase of it: ``phase``, ``seconds``, of which ``spared``.

    Args:
        cells: The results of every cell.
    """
    fitted = _fitted(cells)
    labels = method_labels([fit for _, fit in fitted])
    return pd.DataFrame(
        [
            {
                **_columns(fit, labels, measured_by=fit),
                "phase": phase,
                "seconds": seconds,
                "spared": fit.spared.get(phase, 0.0),
                "record": fit.record_id,
            }
            for _, fit in fitted
            for phase, seconds in sorted(fit.phases.items())
        ]
    )


def convergence_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a fit, epoch and metric of the held-out part of its training set.

    ``epoch`` counts from 1; ``metric`` and ``value`` as in `metric_frame`.

    Args:
        cells: The results of every cell.
    """
    fitted = _fitted(cells)
    labels = method_labels([fit for _, fit in fitted])
    return pd.DataFrame(
        [
            {
                **_columns(fit, labels, measured_by=fit),
                "epoch": int(entry["epoch"]),
                "metric": key.removeprefix(VALIDATION),
                "value": float(value),
                "record": fit.record_id,
            }
            for _, fit in fitted
            for entry in fit.history
            for key, value in sorted(entry.items())
            if key.startswith(VALIDATION)
        ]
    )


def skipped_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row an engine that a latency measurement left out: ``engine``, ``database``, ``why``.

    Args:
        cells: The results of every cell.
    """
    fitted = _fitted(cells)
    labels = method_labels([fit for _, fit in fitted])
    return pd.DataFrame(
        [
            {
                **_columns(fit, labels, measured_by=record),
                "engine": left_out.engine,
                "database": left_out.database,
                "why": left_out.why,
                "record": record.record_id,
            }
            for results, fit in fitted
            for record in results.latencies
            for left_out in record.skipped
        ]
    )


def training_seconds(fit: FitRecord) -> float:
    """Wall seconds of building, pre-pass, features, epochs and loss state: what training took."""
    return sum(fit.phases.get(phase, 0.0) for phase in TRAINING_PHASES)


def code_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a cell and side whose codes were described: ``side``, statistics, ``record``."""
    labels = method_labels([fit for _, fit in _fitted(cells)])
    rows = []
    for results, fit in _fitted(cells):
        codes, record = results.codes() or ({}, None)
        rows += [
            {
                **_columns(fit, labels, measured_by=fit),
                "side": side,
                **facts.model_dump(),
                "record": record.record_id if record else "",
            }
            for side, facts in codes.items()
        ]
    return pd.DataFrame(rows)


def latency_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a cell, engine and setting, with its percentiles in milliseconds a query."""
    labels = method_labels([fit for _, fit in _fitted(cells)])
    return pd.DataFrame(
        [
            {
                **_columns(fit, labels, measured_by=record),
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
            for results, fit in _fitted(cells)
            for record in results.latencies
            for entry in record.entries
        ]
    )


def engine_label(setting: LatencySetting) -> str:
    """An engine with the parameters that were given or have a fixed default.

    Example:
        >>> engine_label(LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 8}))
        'faiss_ivf(nprobe=8)'
    """
    known = (f"{key}={value}" for key, value in setting.params.items() if value is not None)
    params = ", ".join(known)
    return f"{setting.engine}({params})" if params else setting.engine


def failure_frame(cells: Sequence[CellResults]) -> pd.DataFrame:
    """One row a cell that has no codes, or a measurement that failed, with its cause."""
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


def _fitted(cells: Iterable[CellResults]) -> list[tuple[CellResults, FitRecord]]:
    return [(results, results.fit) for results in cells if results.fitted and results.fit]


def _columns(
    fit: FitRecord, labels: dict[str, str], *, measured_by: FitRecord | LatencyRecord
) -> dict[str, Any]:
    cell, environment = fit.cell, measured_by.environment
    name = cell.loss or cell.method
    return {
        "dataset": cell.data.name,
        "protocol": cell.data.label,
        "backbone": cell.backbone.name if cell.backbone else "pixels",
        "loss": name.name if name else "?",
        "method": labels[fit.record_id],
        "bits": cell.bits if cell.bits is not None else float("inf"),
        "seed": cell.seed,
        "device_name": environment.device.name,
        "threads_used": environment.threads,
        "date": measured_by.finished[:10],
        "precision": cell.precision.value,
        "recipe": _recipe(fit),
        "fit_id": fit.fit_id,
    }


def _recipe(fit: FitRecord) -> str:
    train = fit.cell.train
    if train is None:
        return "-"
    return f"{train.recipe} (modified)" if train.modified else train.recipe
