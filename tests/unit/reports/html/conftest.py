"""Results of a benchmark that never ran: as many cells as wanted, with or without codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from hashbench.core.cell import Cell, Component
from hashbench.core.codes import Codes
from hashbench.core.record import (
    EvaluationRecord,
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    MetricEntry,
    Status,
    seal,
)
from hashbench.store.catalogue import CellResults
from hashbench.store.codes import EncodedSplit, save_codes
from hashbench.store.store import Store

METRICS = (
    "map@all/div=hits/ties=expected/empty=zero",
    "map@100/div=hits/ties=expected/empty=zero",
    "precision@r2/empty=zero",
    "recall@r2/empty=zero",
)


@pytest.fixture
def make_results(
    cell: Cell,
    fit_record: FitRecord,
    evaluation_record: EvaluationRecord,
    latency_record: LatencyRecord,
    latency_entry: LatencyEntry,
) -> Callable[..., CellResults]:
    """Makes the sealed records of one cell: ``make("hsc", value=0.8, seconds=3.0, bits=16)``."""

    def make(
        loss: str,
        *,
        value: float,
        seconds: float = 1.0,
        bits: int = 16,
        seed: int = 0,
        protocol: str = "toy@1",
        history: Sequence[dict[str, Any]] = (),
        ms: float = 0.1,
    ) -> CellResults:
        assert cell.loss is not None
        own = replace(
            cell,
            bits=bits,
            seed=seed,
            loss=Component(loss, 1),
            data=replace(cell.data, protocol=protocol, subset=None),
        )
        assert fit_record.data is not None
        sizes = {"classes": 10, "train": 100, "query": 20, "database": 500}
        fit = seal(
            fit_record.model_copy(
                update={
                    "data": fit_record.data.model_copy(update={"sizes": sizes}),
                    "cell": own,
                    "fit_id": own.fit_id,
                    "phases": {"train": seconds},
                    "history": list(history),
                    "artifacts": {},
                }
            )
        )
        same = {"fit_id": own.fit_id, "fit_record": fit.record_id}
        metrics = {
            name: MetricEntry(value=value / number, queries=20, without_relevant=0)
            for number, name in enumerate(METRICS, start=1)
        }
        evaluation = seal(evaluation_record.model_copy(update={**same, "metrics": metrics}))
        entry = latency_entry.model_copy(update={"bits": bits, "p50_ms": ms, "p95_ms": 2 * ms})
        well = {"status": Status.OK, "error": None, "entries": [entry]}
        latency = seal(latency_record.model_copy(update={**same, **well}))
        return CellResults(own.fit_id, fit, (evaluation,), (latency,))

    return make


@pytest.fixture
def many_results(make_results: Callable[..., CellResults]) -> list[CellResults]:
    """2,001 records: 667 cells of 3 protocols, 37 methods, 3 lengths, 2 or 3 seeds."""
    history = [{"epoch": n, "total": 1 / n, "pair": 0.5 / n, "bits": 0.1} for n in range(1, 101)]
    places = [
        (protocol, method, bits, seed)
        for seed, protocol, method, bits in product(
            range(3), ("one@1", "two@1", "three@1"), range(37), (16, 32, 64)
        )
    ]
    return [
        make_results(
            f"loss{method}",
            value=0.9 - method / 100 + bits / 1000 + seed / 500,
            seconds=1.0 + method,
            bits=bits,
            seed=seed,
            protocol=protocol,
            history=history,
        )
        for protocol, method, bits, seed in places[:667]
    ]


@pytest.fixture
def store_codes() -> Callable[..., CellResults]:
    """Stores codes for results, and names them in the fit: ``put(store, results, split)``."""

    def put(store: Store, results: CellResults, split: EncodedSplit) -> CellResults:
        assert results.fit is not None
        artifact = save_codes(store, results.fit_id, split)
        data = results.fit.data
        assert data is not None
        sizes = {
            "classes": split.query_labels.shape[1],
            "query": len(split.query),
            "database": len(split.database),
        }
        update = {
            "artifacts": {"codes": artifact},
            "data": data.model_copy(update={"sizes": sizes}),
        }
        return replace(results, fit=results.fit.model_copy(update=update))

    return put


@pytest.fixture
def tiny_split() -> EncodedSplit:
    """Two queries and four items of 3 bits and 2 labels; one item has both labels."""
    query = np.array([[1, 1, 1], [-1, -1, -1]], dtype=np.float64)
    database = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, -1], [1, -1, -1]], dtype=np.float64)
    labels = np.array([[1, 0], [1, 1], [0, 1], [1, 0]], dtype=np.uint8)
    return EncodedSplit(
        Codes.from_outputs(query),
        Codes.from_outputs(database),
        np.array([[1, 0], [0, 1]], dtype=np.uint8),
        labels,
    )
