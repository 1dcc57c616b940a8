"""Which records of a cell count."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashbench.core.record import (
    CodeFacts,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    MetricEntry,
    Status,
)
from hashbench.store.catalogue import read_all, read_cell
from hashbench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def at(minute: int) -> str:
    return f"2026-01-01T00:{minute:02}:00.000000+00:00"


def failed(fit: FitRecord, *, minute: int) -> FitRecord:
    return fit.model_copy(update={"status": Status.OOM, "finished": at(minute)})


def test_a_cell_without_records_has_nothing(store: Store) -> None:
    found = read_cell(store, "a" * 16)
    assert (found.fit, found.fitted, found.evaluations, found.latencies) == (None, False, (), ())
    assert read_all(store) == []


def test_the_newest_good_fit_counts_even_if_a_later_one_failed(
    store: Store, fit_record: FitRecord
) -> None:
    store.write_record(fit_record.model_copy(update={"finished": at(1)}))
    good = store.write_record(fit_record.model_copy(update={"finished": at(2)}))
    later = store.write_record(failed(fit_record, minute=3))
    found = read_cell(store, fit_record.fit_id)
    assert found.fit == good
    assert found.fitted
    assert found.failures == (later,)


def test_without_a_good_fit_the_newest_failure_is_shown(
    store: Store, fit_record: FitRecord
) -> None:
    store.write_record(failed(fit_record, minute=2))
    newest = store.write_record(failed(fit_record, minute=3))
    found = read_cell(store, fit_record.fit_id)
    assert found.fit == newest
    assert not found.fitted


def test_measurements_of_another_fit_do_not_count(
    store: Store,
    fit_record: FitRecord,
    evaluation_record: EvaluationRecord,
    latency_record: LatencyRecord,
) -> None:
    fit = store.write_record(fit_record)
    store.write_record(evaluation_record)
    ours = store.write_record(evaluation_record.model_copy(update={"fit_record": fit.record_id}))
    broken = store.write_record(latency_record.model_copy(update={"fit_record": fit.record_id}))
    found = read_cell(store, fit_record.fit_id)
    assert found.evaluations == (ours,)
    assert found.latencies == ()
    assert found.failures == (broken,)


def test_a_failure_that_a_later_measurement_made_good_is_past(
    store: Store, fit_record: FitRecord, latency_record: LatencyRecord
) -> None:
    fit = store.write_record(fit_record)
    broken = latency_record.model_copy(update={"fit_record": fit.record_id})
    store.write_record(broken)
    good = {"status": Status.OK, "error": None, "finished": "2027-01-01T00:00:00.000000+00:00"}
    measured = store.write_record(broken.model_copy(update=good))
    found = read_cell(store, fit_record.fit_id)
    assert found.latencies == (measured,)
    assert found.failures == ()


def test_the_newest_value_of_each_metric_counts(
    store: Store, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> None:
    fit = store.write_record(fit_record)
    for minute, values in ((1, {"a": 0.1, "b": 0.2}), (2, {"b": 0.3})):
        entries = {
            name: MetricEntry(value=value, queries=1, without_relevant=0)
            for name, value in values.items()
        }
        update = {"fit_record": fit.record_id, "metrics": entries, "finished": at(minute)}
        store.write_record(evaluation_record.model_copy(update=update))
    metrics = read_cell(store, fit_record.fit_id).metrics()
    assert {name: entry.value for name, (entry, _) in metrics.items()} == {"a": 0.1, "b": 0.3}
    assert [record.finished for _, record in metrics.values()] == [at(1), at(2)]


def facts(*, distinct: int) -> CodeFacts:
    return CodeFacts(
        items=9,
        distinct=distinct,
        constant_bits=0,
        bit_balance=0.5,
        bit_correlation=0.25,
        bit_entropy=0.75,
        code_entropy=1.5,
    )


def test_the_newest_code_statistics_count(
    store: Store, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> None:
    fit = store.write_record(fit_record)
    assert read_cell(store, fit_record.fit_id).codes() is None
    described = [{"query": facts(distinct=1)}, {"query": facts(distinct=2)}, None]
    for minute, codes in enumerate(described):
        update = {"fit_record": fit.record_id, "codes": codes, "finished": at(minute)}
        store.write_record(evaluation_record.model_copy(update=update))
    found = read_cell(store, fit_record.fit_id).codes()
    assert found is not None
    assert found[0] == described[1]
    assert found[1].finished == at(1)


def test_all_cells_are_read(store: Store, fit_record: FitRecord) -> None:
    store.write_record(fit_record)
    assert [found.fit_id for found in read_all(store)] == [fit_record.fit_id]
