"""An evaluation from disk has the very values of one in memory, which has tests of its own."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation import hamming
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.sharded import counting
from hashbench.evaluation.sharded import evaluate as evaluate_module
from hashbench.evaluation.sharded.evaluate import evaluate_shards
from hashbench.evaluation.sharded.folder import ShardFolder
from hashbench.evaluation.sharded.writer import ShardWriter
from hashbench.evaluation.tool import Tool

SEED = 5  # of the order that shards are written in
NAMES = [
    f"{family}@{cut}/ties={ties}"
    for family in ("map", "precision", "recall", "ndcg", "acg")
    for cut in ("all", "40", "9999")
    for ties in ("expected", "best", "worst", "stable")
]
NAMES += ["map@70/div=min", "map@70/div=min/ties=stable", "map@all/empty=skip", "wap@all", "wap@30"]
NAMES += ["wap@all/ties=stable", "precision@r2", "recall@r0", "pr@radii", "pr11@radii"]
METRICS = [parse_metric(name) for name in NAMES]


def in_memory(data, metrics, *, tool=None):
    return evaluate(
        data.query,
        data.database,
        data.query_labels,
        data.labels,
        metrics,
        order_seed=SEED,
        tool=tool,
    )


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        other = found[name]
        assert other.value == value.value, name
        np.testing.assert_array_equal(other.per_query, value.per_query, err_msg=name)
        assert (other.queries, other.without_relevant) == (value.queries, value.without_relevant)
        assert (other.curve is None) == (value.curve is None)
        for part, line in (value.curve or {}).items():
            np.testing.assert_array_equal(other.curve[part], line)


@pytest.mark.parametrize("tool", list(Tool))
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"several": False},
        {"bits": 1, "items": 131, "queries": 1},
        {"bits": 65, "items": 400, "classes": 20, "queries": 7},
        {"bits": 8, "items": 131, "several": False, "unlabelled": 1.0},
    ],
    ids=["several labels", "one label", "one bit", "two words", "no label at all"],
)
def test_every_metric_has_the_value_it_has_in_memory(
    tmp_path, small_blocks, tool, shape, retrieval
):
    data = retrieval(**shape)
    skips = [] if data.query_labels.any() else [m for m in METRICS if "skip" in m.name]
    metrics = [metric for metric in METRICS if metric not in skips]
    folder = data.write(tmp_path / "shards", numbers=not shape.get("several", True))
    found = evaluate_shards(data.query, folder, data.query_labels, metrics, tool=tool)
    assert_same(found, in_memory(data, metrics))


def test_no_value_depends_on_processes_shards_or_blocks(tmp_path, small_blocks, retrieval):
    data = retrieval(items=300, queries=5)
    few = [parse_metric(name) for name in ("map@all", "map@40/ties=stable", "pr@radii")]
    for name, size, processes in (("whole", 1000, 1), ("single", 61, 1), ("several", 97, 2)):
        folder = data.write(tmp_path / name, items_per_shard=size)
        metrics = METRICS if processes == 1 else few
        found = evaluate_shards(
            data.query, folder, data.query_labels, metrics, processes=processes, tool=Tool.NUMPY
        )
        assert_same(found, in_memory(data, metrics))


def test_queries_that_do_not_fit_together_are_counted_in_several_passes(
    tmp_path, small_blocks, monkeypatch, retrieval
):
    data = retrieval()
    folder = data.write(tmp_path / "shards")
    passes = []
    monkeypatch.setattr(hamming, "_PAIRS_AT_ONCE", 1000)  # two queries are scored at once
    monkeypatch.setattr(counting, "_CELLS_AT_ONCE", 13 * 2 * 10)  # ten queries by relevance
    monkeypatch.setattr(counting, "_RANKS_AT_ONCE", 40 * 4)  # four queries up to rank 40
    metrics = [parse_metric(name) for name in ("map@40/ties=stable", "ndcg@40/ties=stable")]
    for metric in metrics:
        passes.clear()
        found = evaluate_shards(
            data.query,
            folder,
            data.query_labels,
            [metric],
            tool=Tool.NUMPY,
            progress=lambda done, total: passes.append(done == total),
        )
        assert sum(passes) > 6
        assert_same(found, in_memory(data, [metric]))


def test_metrics_without_an_order_take_a_single_pass(tmp_path, small_blocks, retrieval):
    data = retrieval()
    folder = data.write(tmp_path / "shards")
    steps = []
    evaluate_shards(
        data.query,
        folder,
        data.query_labels,
        [parse_metric("map@40"), parse_metric("pr")],
        tool=Tool.NUMPY,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(done, 11) for done in range(1, 12)]  # 130 rows are three blocks, 110 two


def test_safetensors_and_npy_give_the_same(tmp_path, retrieval):
    from safetensors.numpy import save_file

    from hashbench.evaluation.sharded.adopt import adopt

    data = retrieval()
    labels = np.packbits(data.labels, axis=1)
    for number, part in enumerate((slice(0, 200), slice(200, None))):
        arrays = {"codes": data.database.packed[part], "labels": labels[part]}
        save_file(arrays, tmp_path / f"part-{number}.safetensors")
    adopt(tmp_path, bits=12, classes=5)
    metrics = [metric for metric in METRICS if "stable" not in metric.name]
    found = evaluate_shards(data.query, ShardFolder.open(tmp_path), data.query_labels, metrics)
    assert_same(found, in_memory(data, metrics))


def test_a_stable_order_needs_shards_in_the_order_of_a_seed(tmp_path, retrieval):
    data = retrieval()
    with ShardWriter(tmp_path / "shards", bits=12, classes=5) as writer:
        writer.add(data.database, data.labels)
    folder = ShardFolder.open(tmp_path / "shards")
    with pytest.raises(DataError, match="names no order seed; write ties=expected"):
        evaluate_shards(data.query, folder, data.query_labels, [parse_metric("map@10/ties=stable")])


@pytest.mark.parametrize("name", ["map@all/ties=stable", "ndcg@all/ties=best", "acg@60/ties=worst"])
def test_more_ranks_than_fit_in_memory_are_refused_with_the_remedy(
    tmp_path, monkeypatch, name, retrieval
):
    monkeypatch.setattr(evaluate_module, "MOST_RANKS", 50)
    data = retrieval()
    folder = data.write(tmp_path / "shards")
    with pytest.raises(DataError, match="at most 50 are possible; give a cut-off"):
        evaluate_shards(data.query, folder, data.query_labels, [parse_metric(name)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: (Codes(d.query.packed[:0], 12), d.query_labels[:0]), "zero queries"),
        (lambda d: (Codes(d.query.packed & 0xC0, 10), d.query_labels), "have 10 bits, the"),
        (lambda d: (d.query, d.query_labels[:3]), "query labels: 3 rows for 23 codes"),
        (lambda d: (d.query, d.query_labels[:, :4]), "4 classes on the query side, 5 in"),
        (lambda d: (d.query, d.query_labels * 2), "multi-hot means 0 or 1, got 2"),
    ],
)
def test_sides_that_do_not_fit_together_are_refused(tmp_path, change, message, retrieval):
    data = retrieval()
    folder = data.write(tmp_path / "shards")
    query, labels = change(data)
    with pytest.raises(DataError, match=message):
        evaluate_shards(query, folder, labels, [parse_metric("map@all")])


def test_shards_without_labels_cannot_be_evaluated(tmp_path, retrieval):
    data = retrieval()
    with ShardWriter(tmp_path / "shards", bits=12) as writer:
        writer.add(data.database)
    folder = ShardFolder.open(tmp_path / "shards")
    with pytest.raises(DataError, match="has no labels, and an evaluation needs them"):
        evaluate_shards(data.query, folder, data.query_labels, [parse_metric("map@all")])
