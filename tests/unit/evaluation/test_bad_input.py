"""Evaluation refuses input that does not fit together, and never changes its input."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.evaluation.cosine import CosineRanking
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import Ties, parse_metric

EVERYTHING = [
    "map@3",
    "map@3/div=min",
    "map@3/ties=stable",
    "map@3/ties=best",
    "map@3/ties=worst",
    "precision@2",
    "recall@2",
    "precision@r2",
    "recall@r2",
    "pr@radii",
    "pr11@radii",
    *(f"{name}@3/ties={ties}" for name in ("ndcg", "acg") for ties in Ties),
    "wap@3",
    "wap@3/ties=stable",
]


def codes(items, bits=12):
    return Codes.from_outputs(np.random.default_rng(items).standard_normal((items, bits)))


def embeddings(items, width=5):
    values = np.random.default_rng(items).standard_normal((items, width))
    return Embeddings(values.astype(np.float32))


def labels(items, classes=3):
    return np.eye(classes, dtype=np.uint8)[np.arange(items) % classes]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((codes(2, 12), codes(4, 16), labels(2), labels(4)),
         "codes: queries have 12 bits, the database 16"),
        ((codes(0), codes(4), labels(0), labels(4)),
         "evaluation: zero queries; there is nothing to evaluate"),
        ((codes(2), codes(0), labels(2), labels(0)), "evaluation: the database is empty"),
        ((codes(2), codes(4), labels(3), labels(4)),
         "query labels: 3 rows for 2 codes; one row a code"),
        ((codes(2), codes(4), labels(2), labels(5)),
         "database labels: 5 rows for 4 codes; one row a code"),
        ((codes(2), codes(4), np.array([0, 1], dtype=np.uint8), labels(4)),
         "query labels: must be multi-hot uint8 (N, classes), got uint8 (2,)"),
        ((codes(2), codes(4), labels(2), labels(4).astype(np.int64)),
         "database labels: must be multi-hot uint8 (N, classes), got int64 (4, 3)"),
        ((codes(2), codes(4), labels(2) * 2, labels(4)),
         "query labels: multi-hot means 0 or 1, got 2"),
        ((codes(2), codes(4), labels(2, 3), labels(4, 4)),
         "labels: 3 classes on the query side, 4 on the database's"),
        ((codes(2), embeddings(4), labels(2), labels(4)),
         "evaluation: cannot compare Codes of the queries with Embeddings of the database"),
        ((embeddings(2), codes(4), labels(2), labels(4)),
         "evaluation: cannot compare Embeddings of the queries with Codes of the database"),
        ((embeddings(2, 5), embeddings(4, 6), labels(2), labels(4)),
         "embeddings: queries have width 5, the database 6"),
    ],
)  # fmt: skip
def test_sides_that_do_not_fit_together_give_one_line(arguments, problem):
    with pytest.raises(DataError) as caught:
        evaluate(*arguments, [parse_metric("map@all")], order_seed=0)
    assert str(caught.value) == problem


@pytest.mark.parametrize("name", ["precision@r2", "recall@r2", "pr@radii", "pr11@radii"])
def test_a_hamming_radius_is_refused_for_embeddings(name):
    metric = parse_metric(name)
    assert metric.needs_codes
    with pytest.raises(DataError, match="embeddings have no Hamming radius"):
        evaluate(embeddings(2), embeddings(4), labels(2), labels(4), [metric], order_seed=0)


@pytest.mark.parametrize("make", [codes, embeddings])
def test_no_input_is_written_to(make):
    query, database = make(3), make(6)
    arrays = [
        query.packed if isinstance(query, Codes) else query.values,
        database.packed if isinstance(database, Codes) else database.values,
        labels(3),
        labels(6),
    ]
    for array in arrays:
        array.flags.writeable = False  # a write would raise
    metrics = [parse_metric(name) for name in EVERYTHING]
    wanted = [m for m in metrics if make is codes or not m.needs_codes]
    found = evaluate(query, database, arrays[2], arrays[3], wanted, order_seed=0)
    assert list(found) == [metric.name for metric in wanted]


def test_a_gain_too_large_for_a_double_is_refused_by_ndcg_alone():
    everything = np.ones((2, 901), dtype=np.uint8)
    sides = codes(2), codes(2), everything, everything
    with pytest.raises(DataError) as caught:
        evaluate(*sides, [parse_metric("ndcg@1")], order_seed=0)
    assert str(caught.value) == (
        "metric 'ndcg@1/ties=expected/empty=zero': images share up to 901 labels, and its gain "
        "2^g - 1 is computed up to 900; leave it out, or write acg"
    )
    acg = parse_metric("acg@1")
    assert evaluate(*sides, [acg], order_seed=0)[acg.name].value == 901


def test_the_largest_gain_that_ndcg_takes_leaves_its_value_finite():
    everything = np.ones((1, 900), dtype=np.uint8)
    rows = np.repeat(everything, 5, axis=0)
    rows[0] = 0
    ndcg = parse_metric("ndcg@4/ties=worst")
    found = evaluate(codes(1), Codes(codes(1).packed.repeat(5, axis=0), 12), everything, rows,
                     [ndcg], order_seed=0)  # fmt: skip
    wanted = 1 - 1 / sum(1 / np.log2(i + 1) for i in (1, 2, 3, 4))
    assert found[ndcg.name].value == pytest.approx(wanted, rel=1e-14)


def test_codes_that_are_all_equal_are_one_tie_of_everything():
    query, database = Codes(codes(1).packed.repeat(2, axis=0), 12), codes(1).packed
    sides = query, Codes(database.repeat(6, axis=0), 12), labels(2), labels(6)
    metrics = [parse_metric(name) for name in ("precision@4", "recall@4", "precision@r0", "acg@4")]
    found = evaluate(*sides, metrics, order_seed=0)
    # Two of six are relevant to each query, wherever the four lie.
    wanted = [1 / 3, 2 / 3, 1 / 3, 1 / 3]
    assert [value.value for value in found.values()] == [
        pytest.approx(w, rel=1e-14) for w in wanted
    ]


def test_matrix_products_of_embeddings_use_the_threads_they_are_given(monkeypatch):
    seen = []
    multiply = CosineRanking._distances

    def watched(self, start, stop):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return multiply(self, start, stop)

    monkeypatch.setattr(CosineRanking, "_distances", watched)
    metric = parse_metric("map@all")
    with threadpool_limits(2, user_api="blas"):
        evaluate(
            embeddings(3), embeddings(6), labels(3), labels(6), [metric], order_seed=0, threads=1
        )
    assert set(seen) == {1}
