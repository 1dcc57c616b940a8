"""Cells done in this process: quick enough to compare many runs of one cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hashbench.core.cell import Cell, Component, DataChoice, Head, Schedule, Subset, TrainSettings
from hashbench.core.job import Job
from hashbench.core.params import resolve_params
from hashbench.core.plugins import load_plugin
from hashbench.core.record import FitRecord
from hashbench.core.registry import Kind, Registry, registry
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

PLUGIN = Path(__file__).with_name("every_hook_loss.py")
DIFFERENT_CODES = 20  # equality of fewer would say little
METRIC = "map@all/div=hits/ties=expected/empty=zero"


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what a cell sets for its whole process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def fits() -> Callable[[Cell, Mapping[str, Any], Mapping[str, Any]], bool]:
    """Return whether a cell is one of a row of tables.toml."""

    def of_row(cell: Cell, table: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        about = {**table, **row}
        part = next(key for key in ("loss", "method", "backbone") if key in about)
        component = getattr(cell, part)
        if component is None or component.name != about[part]:
            return False
        cls = registry().load(Kind[part.upper()], component.name)
        params = {**table.get("params", {}), **row.get("params", {})}
        wanted = resolve_params(cls.Params, preset=row.get("preset"), params=params)
        return dict(component.params) == wanted

    return of_row


@pytest.fixture(scope="session")
def components() -> Registry:
    """Return all components and the loss of every_hook_loss.py, apart from the process's own."""
    found = Registry()
    for kind in Kind:
        for name in registry().names(kind):
            found.add(registry().get(kind, name))
    load_plugin(PLUGIN, found)
    return found


@pytest.fixture
def cell() -> Cell:
    """Return a small deep cell on digits with the loss that uses every hook."""
    return Cell(
        data=DataChoice(
            name="digits",
            version=1,
            protocol="digits@1",
            protocol_sha256=load_protocol("digits@1").sha256,
            image_size=8,
            subset=Subset(train=100, query=20, database=1597),
        ),
        bits=64,
        seed=3,
        backbone=Component("resnet_mini", 1, {"width": 4}),
        head=Head(last_layer="bn"),  # centred outputs: codes differ after a few steps already
        loss=Component("every_hook", 1),
        train=TrainSettings(
            recipe="ours",
            modified=(),
            optimiser="adam",
            lr=1e-2,
            backbone_lr=3e-3,
            weight_decay=1e-5,
            momentum=0.0,
            nesterov=False,
            schedule=Schedule("cosine", 0.01),
            epochs=4,
            batch_size=16,
            augmentation="crop_flip",
            prepass="random",
        ),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A store, and the means to do cells in this process.

    Attributes:
        store: Where results go.
        components: What cells are made of.
    """

    store: Store
    components: Registry

    def run(self, cell: Cell, *, events: Events | None = None, **settings: Any) -> FitRecord:
        """Do a cell; return its fit record."""
        job = replace(Job(cell, self.store.root, fit=True, metrics=(METRIC,)), **settings)
        CellRun(job, self.components, events or Events(None)).run()
        fit = read_cell(self.store, cell.fit_id).fit
        assert fit is not None
        return fit

    def codes(self, fit: FitRecord) -> Mapping[str, Any]:
        """Return the arrays that a fit left behind."""
        return self.store.read_arrays(fit.fit_id, fit.artifacts["codes"])

    def code_bytes(self, fit: FitRecord) -> bytes:
        """Return the codes of query and database, to compare whole fits."""
        arrays = self.codes(fit)
        assert len({row.tobytes() for row in arrays["database"]}) > DIFFERENT_CODES
        return bytes(arrays["query"].tobytes() + arrays["database"].tobytes())


@pytest.fixture
def bench(tmp_path: Path, components: Registry) -> Callable[[str], Bench]:
    """Return a maker of benches with a store of their own."""
    return lambda name: Bench(Store.create(tmp_path / name), components)
