"""What an evaluation of stored codes records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.job import Job
from hashbench.core.record import EvaluationRecord, FitRecord, seal
from hashbench.evaluation.names import parse_metric
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store
from hashbench.worker.measure import evaluate_fit

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

    fields = evaluate_fit(job, fit_record, encoded, store)

    assert {name: entry.value for name, entry in fields["metrics"].items()} == pytest.approx(
        dict(zip(NAMES, [5 / 6, 1.5 / (1 + 1 / np.log2(3)), 0.5, 5 / 6, 28 / 33], strict=True))
    )
    assert fields["metrics"][NAMES[1]].cutoff_exceeds == 3
    scores = store.read_arrays(fit_record.fit_id, fields["artifacts"]["per_query"])
    assert set(scores) == set(NAMES)
    query, database = fields["codes"]["query"], fields["codes"]["database"]
    assert (query.items, query.distinct, query.constant_bits) == (1, 1, 2)
    assert (database.items, database.distinct, database.bit_balance) == (3, 3, 1 / 3)


def test_embeddings_have_no_code_statistics(
    store: Store, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> None:
    values = np.eye(4, dtype=np.float32)
    encoded = split(Embeddings(values[:1]), Embeddings(values[:3]))
    job = Job(fit_record.cell, store.root, fit=False, metrics=NAMES[:4])

    fields = evaluate_fit(job, fit_record, encoded, store)

    assert fields["codes"] is None
    assert "codes" not in seal(evaluation_record.model_copy(update=fields)).model_dump()
