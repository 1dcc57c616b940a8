"""A fit by its id, by the id of one of its records, or by the start of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.record import Cause, EvaluationRecord, FitRecord, LatencyRecord, Status
from hashbench.store.lookup import find_fit
from hashbench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def seeded(fit: FitRecord, seed: int) -> FitRecord:
    """The fit of another cell."""
    cell = replace(fit.cell, seed=seed)
    return fit.model_copy(update={"cell": cell, "fit_id": cell.fit_id})


@pytest.mark.parametrize("digits", [6, 16])
def test_a_fit_is_found_by_its_id_and_by_its_records_id(
    store: Store, fit_record: FitRecord, digits: int
) -> None:
    kept = store.write_record(fit_record)
    store.write_record(seeded(fit_record, 77))
    assert find_fit(store, kept.fit_id[:digits]) == kept
    assert find_fit(store, kept.record_id[:digits]) == kept


def test_a_measurement_stands_for_the_fit_it_was_made_of(
    store: Store,
    fit_record: FitRecord,
    evaluation_record: EvaluationRecord,
    latency_record: LatencyRecord,
) -> None:
    older = store.write_record(fit_record)
    store.write_record(fit_record.model_copy(update={"finished": "2027"}))
    for record in (evaluation_record, latency_record):
        made_of_it = {"fit_record": older.record_id, "fit_id": older.fit_id}
        measured = store.write_record(record.model_copy(update=made_of_it))
        assert find_fit(store, measured.record_id) == older


def test_a_fit_id_stands_for_the_newest_good_fit_and_a_record_id_for_that_very_one(
    store: Store, fit_record: FitRecord
) -> None:
    older = store.write_record(fit_record)
    newer = store.write_record(fit_record.model_copy(update={"finished": "2027"}))
    store.write_record(fit_record.model_copy(update={"finished": "2028", "status": Status.OOM}))
    assert find_fit(store, fit_record.fit_id) == newer
    assert find_fit(store, older.record_id) == older


def test_a_start_that_several_fits_share_names_them(store: Store, fit_record: FitRecord) -> None:
    fits = [store.write_record(seeded(fit_record, seed)) for seed in range(40)]
    firsts = [fit.fit_id[0] for fit in fits] + [fit.record_id[0] for fit in fits]
    shared = max(firsts, key=firsts.count)
    with pytest.raises(ConfigError) as caught:
        find_fit(store, shared)
    message = str(caught.value)
    assert message.startswith(f"record {shared}: may be ")
    assert message.endswith("; write more of the id")
    assert "\n" not in message


@pytest.mark.parametrize("word", ["", "no", "*", "../x", "z" * 16])
def test_a_word_that_nothing_starts_with_says_where_to_look(
    store: Store, fit_record: FitRecord, word: str
) -> None:
    store.write_record(fit_record)
    with pytest.raises(ConfigError, match="hashbench status --store") as caught:
        find_fit(store, word)
    assert str(caught.value).startswith(f"record {word!r}: no fit id and no record id in ")


def test_a_fit_that_failed_says_why(store: Store, fit_record: FitRecord) -> None:
    cause = Cause(type="ValueError", message="too bad\nmore")
    failed = fit_record.model_copy(update={"status": Status.FAILED, "error": cause})
    store.write_record(failed)
    with pytest.raises(ConfigError, match=r"has no codes, its status is failed: too bad$"):
        find_fit(store, fit_record.fit_id)
