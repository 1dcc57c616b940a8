"""How long it takes to learn what became of every cell of a large store.

``python tools/store_speed.py [RECORDS]`` makes a store of so many records, or of 10,000, in a
temporary folder, half of them fits with a hundred epochs and half evaluations. It prints the
seconds of reading all records, of the first look through the index, and of the next ones.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.core.environment import capture
from hashbench.core.record import EvaluationRecord, FitRecord, MetricEntry, Status, seal, timestamp
from hashbench.store.catalogue import read_all
from hashbench.store.index import read_outcomes
from hashbench.store.store import Store, document_bytes, record_name

RECORDS = 10_000
_EPOCHS = 100
_METRICS = 12
_LOOKS = 3
_PROTOCOL = "0" * 64


def make_store(root: Path, records: int) -> Store:
    """Write a store of synthetic records, a fit and an evaluation of each cell.

    Args:
        root: The folder to make.
        records: How many; an odd one is left out.

    Raises:
        StoreError: If it cannot be written.
    """
    store, now = Store.create(root), timestamp()
    environment = capture(device="cpu", threads=1)
    common: dict[str, Any] = {
        "status": Status.OK,
        "environment": environment,
        "started": now,
        "finished": now,
    }
    history = [
        {"epoch": each, "total": 1 / (each + 1), "images": 50_000} for each in range(_EPOCHS)
    ]
    entry = MetricEntry(value=0.5, queries=1000, without_relevant=0)
    metrics = {f"precision@{10 * (each + 1)}": entry for each in range(_METRICS)}
    for seed in range(records // 2):
        cell = _cell(seed)
        (root / cell.fit_id).mkdir()
        about = {**common, "fit_id": cell.fit_id, "sources": {}}
        fit = seal(FitRecord(**about, cell=cell, history=history))
        found = seal(EvaluationRecord(**about, fit_record=fit.record_id, metrics=metrics))
        for record in (fit, found):  # not synced to the disk one by one, as a store does it
            document = document_bytes(record.model_dump(mode="json"))
            (root / cell.fit_id / record_name(record)).write_bytes(document)
    return store


def _cell(seed: int) -> Cell:
    data = DataChoice("digits", 1, "digits@1", _PROTOCOL, 28)
    return Cell(data, bits=64, seed=seed, method=Component("itq", 1))


def _seconds(look: Callable[[Store], object], store: Store) -> float:
    began = time.perf_counter()
    look(store)
    return time.perf_counter() - began


def main(words: list[str]) -> None:
    """Print what was measured."""
    records = int(words[0]) if words else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder) / "store", records)
        time.sleep(_LOOKS)  # files that have just changed are always read again
        print(f"{records:,} records, load average {os.getloadavg()[0]:.2f}")
        print(f"all records read       {_seconds(read_all, store):8.2f} s")
        print(f"first look             {_seconds(read_outcomes, store):8.2f} s")
        nexts = sorted(_seconds(read_outcomes, store) for _ in range(_LOOKS))
        print(f"next looks, the median {nexts[_LOOKS // 2]:8.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
