"""Evaluation and latency of stored codes are recorded completely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.job import Job, LatencySetting
from hashbench.core.record import EvaluationRecord, FitRecord, LatencyRecord, seal
from hashbench.core.registry import Registry
from hashbench.evaluation.names import parse_metric
from hashbench.search.engines.faiss_ivf import FaissIVF
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store
from hashbench.worker.measure import evaluate_fit, measure_engines, settings_by_index

NAMES = tuple(parse_metric(name).name for name in ("map", "ndcg@9", "acg@2", "wap", "pr11"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def split(query: Codes | Embeddings, database: Codes | Embeddings) -> EncodedSplit:
    labels = np.eye(3, dtype=np.uint8)
    return EncodedSplit(query, database, labels[:1], labels[[0, 1, 0]])


def codes(*rows: list[int]) -> Codes:
    return Codes.from_outputs(np.array(rows))


def test_every_metric_keeps_its_value_and_its_scores_and_each_side_its_statistics(
    store: Store, fit_record: FitRecord
) -> None:
    encoded = split(codes([1, 1]), codes([1, 1], [1, -1], [-1, -1]))
    job = Job(fit_record.cell, store.root, fit=False, metrics=NAMES)

    result = evaluate_fit(job, fit_record, encoded, store)

    assert {name: entry.value for name, entry in result.metrics.items()} == pytest.approx(
        dict(zip(NAMES, [5 / 6, 1.5 / (1 + 1 / np.log2(3)), 0.5, 5 / 6, 28 / 33], strict=True))
    )
    assert result.metrics[NAMES[1]].cutoff_exceeds == 3
    scores = store.read_arrays(fit_record.fit_id, result.artifacts["per_query"])
    assert set(scores) == set(NAMES)
    query, database = result.codes["query"], result.codes["database"]
    assert (query.items, query.distinct, query.constant_bits) == (1, 1, 2)
    assert (database.items, database.distinct, database.bit_balance) == (3, 3, 1 / 3)


def test_embeddings_have_no_code_statistics(
    store: Store, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> None:
    values = np.eye(4, dtype=np.float32)
    encoded = split(Embeddings(values[:1]), Embeddings(values[:3]))
    job = Job(fit_record.cell, store.root, fit=False, metrics=NAMES[:4])

    result = evaluate_fit(job, fit_record, encoded, store)

    assert result.codes is None
    assert "codes" not in seal(evaluation_record.model_copy(update=vars(result))).model_dump()


def ivf(nprobe: int, k: int, threads: int = 1) -> LatencySetting:
    params = {"nlist": 9, "nprobe": nprobe}
    return LatencySetting("faiss_ivf", k, 1, threads, params, samples=2, seconds=0.01)


def test_settings_that_one_index_serves_come_together() -> None:
    settings = [ivf(1, 5), ivf(2, 5), ivf(1, 9), ivf(1, 5, threads=2)]
    assert settings_by_index(settings) == [[ivf(1, 5), ivf(1, 9)], [ivf(2, 5)], [ivf(1, 5, 2)]]


def test_engines_are_built_once_with_their_parameters_and_told_in_the_jobs_order(
    store: Store,
    fit_record: FitRecord,
    latency_record: LatencyRecord,
    components: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    sides = [Codes.from_outputs(rng.standard_normal((items, 16))) for items in (5, 300)]
    labels = [np.ones((len(side), 1), np.uint8) for side in sides]
    settings = (ivf(1, 5), LatencySetting("exact", 5, 3, 1, {}, 2, 0.01), ivf(9, 5), ivf(1, 50))
    builds = []
    build = FaissIVF.build
    monkeypatch.setattr(
        FaissIVF, "build", lambda self, database: (builds.append(self), build(self, database))
    )

    entries = measure_engines(settings, EncodedSplit(*sides, *labels), components)

    record = seal(latency_record.model_copy(update={"entries": entries}))
    assert tuple(entry.setting for entry in record.entries) == settings
    one, exact, every, many = record.entries
    assert (one.facts, every.facts) == ({"nlist": 9, "nprobe": 1}, {"nlist": 9, "nprobe": 9})
    assert (exact.recall, every.recall, exact.recall_queries) == (1, 1, 5)
    assert one.recall is not None and 0 < one.recall < 1
    assert many.build_seconds == one.build_seconds != every.build_seconds
    assert len(builds) == 2
    assert all(entry.warmup_seconds and entry.calls <= 2 for entry in record.entries)
