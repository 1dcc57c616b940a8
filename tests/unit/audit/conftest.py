"""A small real store: random codes of real digits, evaluated and measured, nothing trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.audit.remeasure import evaluate_more
from hashbench.core.arithmetic import Arithmetic, Processor
from hashbench.core.cell import Cell, Component, DataChoice, Subset
from hashbench.core.codes import Codes
from hashbench.core.environment import Device, Environment
from hashbench.core.job import LatencySetting
from hashbench.core.pinning import LEVEL
from hashbench.core.record import (
    DataFacts,
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    Status,
    compute_record_id,
)
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.search.scan import distance_histogram
from hashbench.store.codes import EncodedSplit, save_codes
from hashbench.store.store import Store, document_bytes

MAP = "map@all/div=hits/ties=expected/empty=zero"
METRICS = [MAP, "precision@r2/empty=zero", "pr@radii/empty=zero"]
SUBSET = Subset(train=50, query=20, database=100, seed=1)
MACHINE = Environment(
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
    libraries={"torch": "2.11.0", "numpy": "2.0.0"},
    processor=Processor(vendor="Abacus", family=1, model=2, stepping=3, flags_sha256="f" * 64),
    arithmetic=Arithmetic(level=LEVEL),
)
EARLY = {
    "environment": MACHINE,
    "started": "2026-01-01T00:00:00.000000+00:00",
    "finished": "2026-01-01T00:01:00.000000+00:00",
}


def cell_of(bits: int = 16, seed: int = 0) -> Cell:
    """A shallow cell on a part of digits."""
    protocol = load_protocol("digits@1").sha256
    data = DataChoice("digits", 1, "digits@1", protocol, 8, subset=SUBSET)
    return Cell(data, bits=bits, seed=seed, method=Component("lsh", 1))


def add_fit(store: Store, loaded: LoadedData, cell: Cell, *, draw: int = 0) -> FitRecord:
    """A fit of a cell whose codes were drawn with some seed."""
    rng, split = np.random.default_rng(draw), loaded.split
    query, database = (
        Codes.from_outputs(rng.standard_normal((len(role), cell.bits or 1)))
        for role in (split.query, split.database)
    )
    labels = loaded.data.labels
    encoded = EncodedSplit(query, database, labels[split.query], labels[split.database])
    return store.write_record(
        FitRecord(
            fit_id=cell.fit_id,
            status=Status.OK,
            sources={"methods/lsh": "d" * 64},
            artifacts={"codes": save_codes(store, cell.fit_id, encoded)},
            cell=cell,
            data=DataFacts(checksums=dict(loaded.checksums), sizes=dict(loaded.sizes)),
            history=[{"epoch": 1, "total": 0.5}, {"epoch": 2, "total": 0.25}],
            **EARLY,
        )
    )


def add_latency(store: Store, fit: FitRecord) -> LatencyRecord:
    """A latency measurement with the distances of the codes."""
    arrays = store.read_arrays(fit.fit_id, fit.artifacts["codes"])
    query, database = Codes(arrays["query"], 16), Codes(arrays["database"], 16)
    counts = {str(len(database)): distance_histogram(query, database)}
    about = {"seed": "0", "redraw": "1.0"}
    entry = LatencyEntry(
        setting=LatencySetting("exact", 10, 1, 1),
        threads_used=1,
        bits=16,
        database=len(database),
        build_seconds=0.01,
        index_bytes=1000,
        calls=200,
        mean_ms=0.25,
        p50_ms=0.125,
        p95_ms=0.5,
        p99_ms=None,
        queries_per_second=4000.0,
        load_average=0.5,
    )
    return store.write_record(
        LatencyRecord(
            fit_id=fit.fit_id,
            fit_record=fit.record_id,
            status=Status.OK,
            sources={},
            artifacts={
                "distances": store.write_arrays(fit.fit_id, "distances", counts, metadata=about)
            },
            entries=[entry],
            **EARLY,
        )
    )


@pytest.fixture(scope="session")
def loaded() -> LoadedData:
    """Return a part of digits."""
    return load_data("digits", "digits@1", subset=SUBSET)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, loaded: LoadedData) -> Path:
    """Return a store with two cells, which no test changes."""
    store = Store.create(tmp_path_factory.mktemp("template") / "store")
    for seed in (0, 1):
        fit = add_fit(store, loaded, cell_of(seed=seed), draw=seed)
        evaluate_more(store, fit, METRICS)
        if seed == 0:
            add_latency(store, fit)
    return store.root


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    """Return a copy of the store with two cells."""
    shutil.copytree(template, tmp_path / "store")
    return Store.open(tmp_path / "store")


@pytest.fixture
def fit(store: Store) -> FitRecord:
    """Return the fit with a latency measurement."""
    (found,) = (r for r in store.records(cell_of().fit_id) if isinstance(r, FitRecord))
    return found


@pytest.fixture
def another_fit(loaded: LoadedData) -> Callable[..., FitRecord]:
    """Return a maker of fits in some store: of which cell, and with which codes."""

    def make(store: Store, *, seed: int = 0, bits: int = 16, draw: int = 0) -> FitRecord:
        return add_fit(store, loaded, cell_of(bits, seed), draw=draw)

    return make


@pytest.fixture
def forged() -> Callable[[Path, Callable[[dict[str, Any]], object]], Path]:
    """Return a forger: edits a record, gives it the id that it then has, and the name."""

    def forge(path: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
        document = json.loads(path.read_bytes())
        edit(document)
        document["record_id"] = compute_record_id(document)
        path.unlink()
        new = path.with_name(f"{document['kind']}-{document['record_id']}.json")
        new.write_bytes(document_bytes(document))
        return new

    return forge


@pytest.fixture
def only() -> Callable[[Store, str], Path]:
    """Return a finder of the one file of a kind among the first cell's."""

    def find(store: Store, pattern: str) -> Path:
        (path,) = (store.root / cell_of().fit_id).glob(pattern)
        return path

    return find
