"""A deep cell with every setting given, one record of each kind, and a registry to add to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from hashbench.core.arithmetic import Arithmetic, Processor
from hashbench.core.cell import (
    Cell,
    Component,
    DataChoice,
    Head,
    Schedule,
    Subset,
    TrainSettings,
    Validation,
    Weights,
)
from hashbench.core.environment import Device, Environment
from hashbench.core.job import LatencySetting
from hashbench.core.pinning import LEVEL
from hashbench.core.record import (
    Artifact,
    Budget,
    Cause,
    DataFacts,
    EvaluationRecord,
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    MetricEntry,
    Status,
)
from hashbench.core.registry import Kind, Registry, registry
from hashbench.datasets import roots
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"


@pytest.fixture(autouse=True)
def _data_roots_of_a_test_end_with_it() -> Iterator[None]:
    """Forget the data roots that a test named, in whose protocols later tests would look."""
    before = list(roots._named)
    yield
    roots._named[:] = before


@pytest.fixture
def cell() -> Cell:
    """A deep cell; no setting is None or at its default."""
    return Cell(
        DataChoice("toy", 1, "toy@1", "a" * 64, 28, "half", Subset(100, 20, 500, 3)),
        bits=16,
        seed=2,
        backbone=Component("trunk", 1, {"width": 8, "stride": [1, 2]}, "small"),
        weights=Weights("file", "b" * 64),
        head=Head("pool", "bn"),
        loss=Component("pairwise", 2, {"margin": 32.0}, "paper"),
        train=TrainSettings(
            recipe="ours",
            modified=("epochs",),
            optimiser="adam",
            lr=1e-3,
            backbone_lr=1e-4,
            weight_decay=1e-5,
            momentum=0.9,
            nesterov=True,
            schedule=Schedule("step", 0.1, (0.5, 0.75)),
            epochs=3,
            batch_size=32,
            augmentation="flip",
            validation=Validation(0.1, 4),
            prepass="pixels",
        ),
    )


@pytest.fixture
def environment() -> Environment:
    """A machine that never was."""
    return Environment(
        hashbench="0.1.0",
        commit="c" * 40,
        dirty_sha256=None,
        python="3.11.7",
        platform="Linux",
        cpu="abacus",
        cpu_count=2,
        threads=1,
        load_average=0.25,
        device=Device(kind="cpu", name="abacus", memory_bytes=2**30),
        libraries={"torch": "2.11.0"},
        processor=Processor(vendor="Abacus", family=1, model=2, stepping=3, flags_sha256="f" * 64),
        arithmetic=Arithmetic(level=LEVEL),
    )


@pytest.fixture
def fit_record(cell: Cell, environment: Environment) -> FitRecord:
    """An unsealed fit that went well."""
    return FitRecord(
        fit_id=cell.fit_id,
        status=Status.OK,
        environment=environment,
        sources={"losses/pairwise": "d" * 64},
        started="2026-01-01T00:00:00.000000+00:00",
        finished="2026-01-01T00:01:00.000000+00:00",
        artifacts={"codes": Artifact(file="codes-0.safetensors", sha256="e" * 64, bytes=10)},
        cell=cell,
        data=DataFacts(checksums={"pixels": "f" * 64}, sizes={"classes": 10}, warnings=["é"]),
        phases={"train": 1 / 3, "load": 1e-17},
        budget=Budget(epochs=3, images_seen=300, parameters=7, peak_memory_bytes=1),
        history=[{"epoch": 1, "total": 0.1 + 0.2}],
        resumed_from=1,
        weights_sha256="b" * 64,
    )


@pytest.fixture
def evaluation_record(cell: Cell, environment: Environment) -> EvaluationRecord:
    """An unsealed evaluation."""
    entry = MetricEntry(value=2 / 3, queries=20, without_relevant=1, cutoff_exceeds=500)
    return EvaluationRecord(
        fit_id=cell.fit_id,
        status=Status.OK,
        environment=environment,
        sources={},
        started="2026-01-01T00:01:00.000000+00:00",
        finished="2026-01-01T00:02:00.000000+00:00",
        fit_record="0" * 16,
        metrics={METRIC: entry},
        seconds=0.125,
    )


@pytest.fixture
def latency_entry() -> LatencyEntry:
    """What the exact scan took."""
    return LatencyEntry(
        setting=LatencySetting("exact", 10, 1, 1),
        threads_used=1,
        bits=16,
        database=500,
        build_seconds=0.01,
        index_bytes=1000,
        calls=200,
        mean_ms=0.2,
        p50_ms=0.1,
        p95_ms=0.3,
        p99_ms=None,
        queries_per_second=5000.0,
        load_average=0.5,
    )


@pytest.fixture
def latency_record(
    cell: Cell, environment: Environment, latency_entry: LatencyEntry
) -> LatencyRecord:
    """An unsealed latency measurement that failed after its first engine."""
    return LatencyRecord(
        fit_id=cell.fit_id,
        status=Status.FAILED,
        error=Cause(type="RuntimeError", message="no more", traceback="line 1\nline 2"),
        environment=environment,
        sources={},
        started="2026-01-01T00:02:00.000000+00:00",
        finished="2026-01-01T00:03:00.000000+00:00",
        fit_record="0" * 16,
        entries=[latency_entry],
    )


@pytest.fixture
def components() -> Registry:
    """All installed components, in a registry that a test may add to."""
    found = Registry()
    for kind in Kind:
        for name in registry().names(kind):
            found.add(registry().get(kind, name))
    return found


@pytest.fixture
def write_cell(fit_record: FitRecord, evaluation_record: EvaluationRecord) -> Callable[..., Any]:
    """Writes a fit of a cell and an evaluation with given values of each query.

    ``write(store, cell, {metric: values}, **changes)`` changes fields of the fit record and returns
    it and the evaluation.
    """

    def write(
        store: Store, cell: Cell, values: Mapping[str, Sequence[float]], **changes: Any
    ) -> tuple[FitRecord, EvaluationRecord]:
        update = {"cell": cell, "fit_id": cell.fit_id, **changes}
        fit = store.write_record(fit_record.model_copy(update=update))
        arrays = {name: np.asarray(each, dtype=np.float64) for name, each in values.items()}
        entries = {
            name: MetricEntry(value=float(np.nanmean(each)), queries=len(each), without_relevant=0)
            for name, each in arrays.items()
        }
        artifact = store.write_arrays(cell.fit_id, "per-query", arrays, metadata={})
        evaluation = store.write_record(
            evaluation_record.model_copy(
                update={
                    "fit_id": cell.fit_id,
                    "fit_record": fit.record_id,
                    "metrics": entries,
                    "artifacts": {"per_query": artifact},
                    "environment": fit.environment,
                }
            )
        )
        return fit, evaluation

    return write
