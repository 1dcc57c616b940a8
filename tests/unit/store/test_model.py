"""A fitted method on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DamagedStoreError, DataError
from hashbench.core.record import FitRecord
from hashbench.store.model import NAME, KeptModel, has_model, load_model, save_model
from hashbench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


KEPT = KeptModel(
    {
        "method.mean": np.array([0.5, -1.5]),
        "backbone.count": np.array(7),  # a number, as batch normalisation counts
        "head.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    },
    ("é", "two, three"),
    np.array([4, 0, 9]),
)


def kept_fit(store: Store, fit: FitRecord) -> FitRecord:
    artifact = save_model(store, fit.fit_id, KEPT)
    return fit.model_copy(update={"artifacts": {**fit.artifacts, NAME: artifact}})


def test_a_model_comes_back_as_it_was(store: Store, fit_record: FitRecord) -> None:
    fit = kept_fit(store, fit_record)
    back = load_model(store, fit)
    assert has_model(fit)
    assert back.classes == KEPT.classes
    assert back.database.tolist() == [4, 0, 9]
    assert back.state.keys() == KEPT.state.keys()
    for name, array in KEPT.state.items():
        assert (back.state[name].dtype, back.state[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back.state[name], array)


def test_equal_models_are_equal_files(store: Store, fit_record: FitRecord) -> None:
    first = save_model(store, fit_record.fit_id, KEPT)
    assert save_model(store, fit_record.fit_id, KEPT) == first


def test_a_fit_without_a_model_says_how_to_get_one(store: Store, fit_record: FitRecord) -> None:
    fit = store.write_record(fit_record)
    assert not has_model(fit)
    with pytest.raises(DataError) as caught:
        load_model(store, fit)
    assert str(caught.value) == (
        f"record {fit.record_id}: no model kept; re-run with execute: {{keep_model: true}}"
    )


def test_a_model_that_was_changed_on_disk_is_damage(store: Store, fit_record: FitRecord) -> None:
    fit = kept_fit(store, fit_record)
    file = store.root / fit.fit_id / fit.artifacts[NAME].file
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedStoreError, match="its record says"):
        load_model(store, fit)
    with pytest.raises(DamagedStoreError, match="its record says"):
        store.read_metadata(fit.fit_id, fit.artifacts[NAME])
