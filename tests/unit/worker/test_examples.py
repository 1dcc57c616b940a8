"""Queries with their nearest images, on the digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.cell import Cell
from hashbench.core.codes import Codes
from hashbench.core.job import Job
from hashbench.core.record import DataFacts, FitRecord
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.store.codes import EncodedSplit
from hashbench.worker.examples import example_answers


@pytest.fixture(scope="module")
def loaded() -> LoadedData:
    return load_data("digits", "digits@1")


@pytest.fixture
def fit(cell: Cell, fit_record: FitRecord, loaded: LoadedData) -> FitRecord:
    data = replace(cell.data, name="digits", protocol="digits@1", image_size=8, subset=None)
    own = replace(cell, data=data, bits=64)
    facts = DataFacts(checksums=dict(loaded.checksums), sizes=dict(loaded.sizes))
    return fit_record.model_copy(update={"cell": own, "fit_id": own.fit_id, "data": facts})


@pytest.fixture
def signs(loaded: LoadedData) -> NDArray[np.float64]:
    """A code of 64 bits for every image: which pixels are bright."""
    return np.where(loaded.data.images.reshape(len(loaded.data), -1) > 100, 1.0, -1.0)


@pytest.fixture
def encoded(loaded: LoadedData, signs: NDArray[np.float64]) -> EncodedSplit:
    query, database = loaded.split.query, loaded.split.database
    labels = loaded.data.labels
    return EncodedSplit(
        Codes.from_outputs(signs[query]),
        Codes.from_outputs(signs[database]),
        labels[query],
        labels[database],
    )


def answers(fit: FitRecord, encoded: EncodedSplit, tmp_path: Path) -> dict[str, NDArray[Any]]:
    return example_answers(Job(fit.cell, tmp_path, fit=False), fit, encoded)


def test_the_nearest_ten_of_eight_queries_as_a_plain_sort_finds_them(
    fit: FitRecord,
    encoded: EncodedSplit,
    loaded: LoadedData,
    signs: NDArray[np.float64],
    tmp_path: Path,
) -> None:
    found = answers(fit, encoded, tmp_path)
    query, database = loaded.split.query, loaded.split.database
    classes = loaded.data.labels.argmax(axis=1)
    assert found["queries"].tolist() == [0, 28, 56, 85, 113, 142, 170, 199]
    for row, number in enumerate(found["queries"]):
        asked = query[number]
        far = (signs[asked] != signs[database]).sum(axis=1)
        nearest = np.argsort(far, kind="stable")[:10]
        assert found["neighbours"][row].tolist() == nearest.tolist()
        assert found["distances"][row].tolist() == far[nearest].tolist()
        right = classes[asked] == classes[database[nearest]]
        assert found["right"][row].astype(bool).tolist() == right.tolist()
        assert np.array_equal(found["query_images"][row], loaded.data.images[asked])
        assert np.array_equal(found["images"][row], loaded.data.images[database[nearest]])


def test_all_of_it_is_far_below_300_kilobytes(
    fit: FitRecord, encoded: EncodedSplit, tmp_path: Path
) -> None:
    found = answers(fit, encoded, tmp_path)
    assert sum(array.nbytes for array in found.values()) < 10_000


def test_large_inputs_have_none(fit: FitRecord, encoded: EncodedSplit, tmp_path: Path) -> None:
    large = replace(fit.cell, data=replace(fit.cell.data, image_size=224))
    assert answers(fit.model_copy(update={"cell": large}), encoded, tmp_path) == {}


@pytest.mark.parametrize("name", ["pixels", "query", "database"])
def test_images_that_are_not_those_that_were_encoded_are_not_shown(
    fit: FitRecord, encoded: EncodedSplit, tmp_path: Path, name: str
) -> None:
    assert fit.data is not None
    other = fit.data.model_copy(update={"checksums": {**fit.data.checksums, name: "0" * 64}})
    assert answers(fit.model_copy(update={"data": other}), encoded, tmp_path) == {}


def test_codes_without_their_images_at_hand_have_none(
    fit: FitRecord, encoded: EncodedSplit, tmp_path: Path
) -> None:
    gone = replace(fit.cell, data=replace(fit.cell.data, name="cifar10", protocol="cifar10-1@1"))
    own = fit.model_copy(update={"cell": gone})
    job = Job(gone, tmp_path, fit=False, data_root=tmp_path / "nothing here")
    assert example_answers(job, own, encoded) == {}


@pytest.mark.parametrize("colours", [(), (3,)], ids=["grey", "colour"])
def test_images_above_32_pixels_are_kept_smaller_in_proportion(
    fit: FitRecord,
    encoded: EncodedSplit,
    loaded: LoadedData,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    colours: tuple[int, ...],
) -> None:
    large = np.full((len(loaded.data), 64, 48, *colours), 7, dtype=np.uint8)
    other = replace(loaded, data=replace(loaded.data, images=large))
    monkeypatch.setattr("hashbench.worker.examples.load_data", lambda *_, **__: other)
    found = answers(fit, encoded, tmp_path)
    assert found["query_images"].shape == (8, 32, 24, *colours)
    assert found["images"].shape == (8, 10, 32, 24, *colours)
    assert set(np.unique(found["images"])) == {7}
    assert sum(array.nbytes for array in found.values()) < 300_000
