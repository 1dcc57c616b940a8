"""A fit's codes and labels on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.cell import Cell
from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError
from hashbench.core.record import DataFacts, FitRecord
from hashbench.store.codes import NAME, EncodedSplit, load_codes, save_codes
from hashbench.store.store import Store

CLASSES = 11


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def fit_with(cell: Cell, fit: FitRecord, encoded: EncodedSplit, store: Store) -> FitRecord:
    """The record of a fit that gave these codes."""
    return fit.model_copy(
        update={
            "cell": cell,
            "data": DataFacts(checksums={}, sizes={"classes": CLASSES}),
            "artifacts": {NAME: save_codes(store, fit.fit_id, encoded)},
        }
    )


def labels(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, 2, size=(rows, CLASSES)).astype(np.uint8)


def test_codes_come_back_with_their_labels(store: Store, cell: Cell, fit_record: FitRecord) -> None:
    outputs = np.random.default_rng(0).normal(size=(9, 13))
    query, database = Codes.from_outputs(outputs[:3]), Codes.from_outputs(outputs[3:])
    encoded = EncodedSplit(query, database, labels(3), labels(6))
    cell = dataclasses.replace(cell, bits=13)
    back = load_codes(store, fit_with(cell, fit_record, encoded, store))
    assert isinstance(back.query, Codes)
    assert isinstance(back.database, Codes)
    assert (back.query.bits, back.database.bits) == (13, 13)
    np.testing.assert_array_equal(back.query.packed, query.packed)
    np.testing.assert_array_equal(back.database.packed, database.packed)
    np.testing.assert_array_equal(back.query_labels, encoded.query_labels)
    np.testing.assert_array_equal(back.database_labels, encoded.database_labels)


def test_embeddings_come_back_bit_for_bit(store: Store, cell: Cell, fit_record: FitRecord) -> None:
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    encoded = EncodedSplit(Embeddings(values[:2]), Embeddings(values[2:]), labels(2), labels(3))
    cell = dataclasses.replace(cell, bits=None)
    back = load_codes(store, fit_with(cell, fit_record, encoded, store))
    assert isinstance(back.query, Embeddings)
    assert isinstance(back.database, Embeddings)
    np.testing.assert_array_equal(back.query.values, values[:2])
    np.testing.assert_array_equal(back.database.values, values[2:])


def test_a_record_without_codes_is_damage(store: Store, fit_record: FitRecord) -> None:
    with pytest.raises(DamagedStoreError, match="names no codes; move the folder"):
        load_codes(store, fit_record.model_copy(update={"artifacts": {}}))
