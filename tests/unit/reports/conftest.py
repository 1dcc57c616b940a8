"""Fixtures of the tests of reports: cells with records written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import Cell, Component, DataChoice, Weights
from hashbench.core.environment import Device
from hashbench.core.record import Budget, DataFacts, EvaluationRecord, FitRecord, MetricEntry
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
DATA = DataFacts(checksums={}, sizes={"query": 20, "database": 500})


@pytest.fixture
def made(
    cell: Cell, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> Callable[..., CellResults]:
    """Makes a cell's results; equal words make equal records.

    ``made(value, loss=..., backbone=..., params=..., dataset=..., protocol=..., bits=..., seed=...,
    device=..., fit={...}, metrics={...}, **changes of the cell)``.
    """

    def make(
        value: float = 0.5,
        *,
        loss: str = "hsc",
        params: Mapping[str, Any] | None = None,
        preset: str | None = None,
        backbone: str = "alexnet",
        dataset: str = "toy",
        protocol: str = "toy@1",
        bits: int | None = 16,
        seed: int = 0,
        device: str = "abacus",
        fit: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        **changes: Any,
    ) -> CellResults:
        own = replace(
            cell,
            data=DataChoice(dataset, 1, protocol, "a" * 64, 28),
            backbone=Component(backbone, 1),
            weights=Weights("file", "b" * 64),
            loss=Component(loss, 1, params or {}, preset),
            bits=bits,
            seed=seed,
        )
        own = replace(own, **changes)
        name = f"{own.fit_id}-{device}"
        there = fit_record.environment.model_copy(
            update={"device": Device(kind="cpu", name=device)}
        )
        common = {"fit_id": own.fit_id, "environment": there}
        record = fit_record.model_copy(
            update={"record_id": f"fit-{name}", "cell": own, "data": DATA, **common, **(fit or {})}
        )
        entries = {
            metric: MetricEntry(value=each, queries=20, without_relevant=0)
            for metric, each in (metrics or {MAP: value}).items()
        }
        evaluation = evaluation_record.model_copy(
            update={
                "record_id": f"eval-{name}",
                "fit_record": record.record_id,
                "metrics": entries,
                **common,
            }
        )
        return CellResults(own.fit_id, record, evaluations=(evaluation,))

    return make


@pytest.fixture
def budget() -> Callable[..., Budget]:
    """Makes a budget of some epochs over 100 images."""

    def make(epochs: int, memory: int = 2**20) -> Budget:
        return Budget(
            epochs=epochs, images_seen=100 * epochs, parameters=1234, peak_memory_bytes=memory
        )

    return make
