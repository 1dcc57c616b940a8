"""A small real store whose fits kept their models, served in this process."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from hashbench.core.cell import Cell, Component, DataChoice, Subset
from hashbench.core.job import Job
from hashbench.core.record import FitRecord
from hashbench.core.registry import registry
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.serve.client import Client
from hashbench.serve.endpoints import endpoints
from hashbench.serve.models import Models
from hashbench.serve.offers import Offers
from hashbench.serve.pictures import Pictures
from hashbench.serve.server import Server
from hashbench.serve.service import Service
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events

MAP = "map@all/div=hits/ties=expected/empty=zero"
SUBSET = Subset(train=100, query=20, database=300)


def cell_of(method: str, *, bits: int | None = 16, subset: Subset = SUBSET, seed: int = 0) -> Cell:
    """A shallow cell on a part of digits."""
    params = {"lsh": {"centre": True}, "itq": {"iterations": 5}, "cosine": {"centre": True}}
    sha256 = load_protocol("digits@1").sha256
    data = DataChoice("digits", 1, "digits@1", sha256, 8, subset=subset)
    return Cell(data, bits=bits, seed=seed, method=Component(method, 1, params[method]))


def fit_into(store: Store, cell: Cell, *, keep_model: bool = True) -> FitRecord:
    """Do a cell in this process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    job = Job(cell, store.root, fit=True, metrics=(MAP,), keep_model=keep_model)
    CellRun(job, registry(), Events(None)).run()
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)
    fit = read_cell(store, cell.fit_id).fit
    assert fit is not None and fit.error is None
    return fit


@pytest.fixture
def fit_cell() -> Callable[..., FitRecord]:
    """Return what does a cell of a method's name into a store."""

    def made(store: Store, method: str, *, keep_model: bool = True, seed: int = 0) -> FitRecord:
        return fit_into(store, cell_of(method, seed=seed), keep_model=keep_model)

    return made


@dataclass(frozen=True, slots=True)
class Kept:
    """A store with four fits.

    Attributes:
        store: The store.
        lsh: 16 bits.
        itq: 12 bits, of the same images.
        cosine: Embeddings.
        other: Of other queries.
        data: The images that all but the last saw.
    """

    store: Store
    lsh: FitRecord
    itq: FitRecord
    cosine: FitRecord
    other: FitRecord
    data: LoadedData

    def png(self, position: int) -> bytes:
        """An image of the dataset as a PNG file."""
        return png_of(self.data.data.images[position])


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Return a store that no test changes."""
    store = Store.create(tmp_path_factory.mktemp("serve") / "kept")
    return Kept(
        store,
        fit_into(store, cell_of("lsh")),
        fit_into(store, cell_of("itq", bits=12)),
        fit_into(store, cell_of("cosine", bits=None)),
        fit_into(store, cell_of("lsh", subset=Subset(train=100, query=30, database=300))),
        load_data("digits", "digits@1", subset=SUBSET),
    )


@contextmanager
def serving(store: Store, *, token: str | None = None, most: int = 4) -> Iterator[Client]:
    """Serve a store in a thread while the block runs."""
    models = Models(store, device=torch.device("cpu"), most=most)
    service = Service(store.root, Offers(store), models, Pictures(None))
    server = Server(0, endpoints(service).answer, token=token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Client(server.port, token)
    finally:
        server.end()
        models.close()
        thread.join()


@pytest.fixture(scope="session")
def client(kept: Kept) -> Iterator[Client]:
    """Return a client of a worker that serves ``kept``."""
    with serving(kept.store) as found:
        yield found


@pytest.fixture
def served() -> Callable[..., object]:
    """Return what serves a store of a test's own."""
    return serving
