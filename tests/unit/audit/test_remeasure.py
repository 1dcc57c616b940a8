"""More metrics of codes that are already there."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.audit.remeasure import evaluate_more, missing_metrics
from hashbench.audit.verify import verify_store
from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store

MAP = "map@all/div=hits/ties=expected/empty=zero"


def test_metrics_that_a_record_says_are_not_missing(store: Store, fit: FitRecord) -> None:
    results = read_cell(store, fit.fit_id)
    assert missing_metrics(results, ["map", MAP, "precision@r2"]) == ()
    assert missing_metrics(results, ["map", "recall@r1", "recall@r1"]) == ("recall@r1/empty=zero",)


def test_a_name_that_cannot_be_read_is_a_users_error(store: Store, fit: FitRecord) -> None:
    with pytest.raises(ConfigError, match="unknown metric 'mapp'"):
        missing_metrics(read_cell(store, fit.fit_id), ["mapp"])


def test_new_metrics_are_a_new_record_and_no_file_there_is_touched(
    store: Store, fit: FitRecord
) -> None:
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    made = evaluate_more(store, fit, ["recall@r1"])
    assert all(path.read_bytes() == data for path, data in before.items())
    assert made.fit_record == fit.record_id
    assert list(made.metrics) == ["recall@r1/empty=zero"]
    assert verify_store(store.root).problems == []
    assert read_cell(store, fit.fit_id).metrics().keys() >= {MAP, "recall@r1/empty=zero"}


def test_a_new_metric_is_what_a_plain_loop_gives(store: Store, fit: FitRecord) -> None:
    arrays = store.read_arrays(fit.fit_id, fit.artifacts["codes"])
    bits = {side: np.unpackbits(arrays[side], axis=1) for side in ("query", "database")}
    values = []
    for query, label in zip(bits["query"], arrays["query_labels"], strict=True):
        near = (bits["database"] != query).sum(axis=1) <= 5
        relevant = ((arrays["database_labels"] & label) > 0).any(axis=1)
        values.append((near & relevant).sum() / relevant.sum())
    made = evaluate_more(store, fit, ["recall@r5"])
    assert made.metrics["recall@r5/empty=zero"].value == pytest.approx(np.mean(values))
