"""All ways of counting pairs give what counting one pair after another gives."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch

from hashbench.core.codes import Codes
from hashbench.evaluation import compiled_counting, stable_order
from hashbench.evaluation.compiled_counting import CompiledCounting
from hashbench.evaluation.device_counting import DeviceCounting
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.kernels import ranking
from hashbench.evaluation.kernels.layout import index_labels
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.numpy_counting import NumpyCounting
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.evaluation.tool import Tool

COUNTINGS = [
    NumpyCounting,
    CompiledCounting,
    partial(DeviceCounting, device=torch.device("cpu")),
]


class Data:
    """Random codes and labels, and what a plain count makes of them."""

    def __init__(self, *, bits, items, classes, labels_each, queries=4):
        rng = np.random.default_rng(bits + items)
        # Few bits differ from the first code, so that many distances are equal.
        flips = np.where(rng.random((queries + items, bits)) < 0.2, -1.0, 1.0)
        outputs = rng.choice([-1.0, 1.0], size=bits) * flips
        chosen = rng.random((queries + items, classes)).argsort(axis=1)
        labels = (chosen < labels_each).astype(np.uint8)
        labels[rng.random(queries + items) < 0.1] = 0
        self.query, self.database = (Codes.from_outputs(x) for x in np.split(outputs, [queries]))
        self.query_labels, self.labels = np.split(labels, [queries])
        self.relevance = Relevance(self.query_labels, self.labels)
        signs = np.split(outputs, [queries])
        self.distances = (signs[0][:, None] != signs[1][None]).sum(axis=2)
        self.gains = self.query_labels.astype(int) @ self.labels.T.astype(int)

    def counts(self, query, levels):
        """Items by gain and distance; with two levels, by relevance and distance."""
        found = np.zeros((levels, self.database.bits + 1), dtype=np.int64)
        gains = np.minimum(self.gains[query], 1) if levels == 2 else self.gains[query]
        np.add.at(found, (gains, self.distances[query]), 1)
        return found

    def groups(self, *queries):
        """Tie groups by distance."""
        by_level = np.stack([self.counts(query, 2) for query in queries])
        return TieGroups.from_counts(by_level.sum(axis=1), by_level[:, 1])


# One word and several; so few cells that two items are counted at once, and more; classes that
# most items have, and classes that few have; one label each, and several.
SHAPES = [
    {"bits": 1, "items": 1, "classes": 1, "labels_each": 1},
    {"bits": 8, "items": 127, "classes": 3, "labels_each": 1},
    {"bits": 8, "items": 5_000, "classes": 3, "labels_each": 1},
    {"bits": 8, "items": 6_000, "classes": 9, "labels_each": 4},
    {"bits": 64, "items": 20_001, "classes": 5, "labels_each": 2},
    {"bits": 65, "items": 20_001, "classes": 5, "labels_each": 1},
    {"bits": 24, "items": 3_000, "classes": 100, "labels_each": 1},
    {"bits": 48, "items": 2_049, "classes": 300, "labels_each": 9},
    {"bits": 255, "items": 300, "classes": 4, "labels_each": 1},
    {"bits": 256, "items": 300, "classes": 4, "labels_each": 3},
    {"bits": 1024, "items": 2_100, "classes": 70, "labels_each": 6},
]


@pytest.fixture(
    scope="module",
    params=SHAPES,
    ids=lambda s: "{bits}-bits-{items}-items-{labels_each}-of-{classes}".format(**s),
)
def data(request):
    return Data(**request.param)


@pytest.fixture(params=COUNTINGS)
def counting(request, data):
    return request.param(data.query, data.database, data.relevance)


def test_histograms_count_every_pair_by_distance_and_relevance(data, counting):
    found = counting.histograms(1, 4, 2)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [data.counts(query, 2) for query in (1, 2, 3)])


def test_histograms_count_every_pair_by_distance_and_gain(data, counting):
    levels = data.relevance.levels
    found = counting.histograms(0, 4, levels)
    np.testing.assert_array_equal(found, [data.counts(query, levels) for query in range(4)])


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_hits_are_ranked_by_distance_then_position(data, counting, share):
    limit = max(1, int(share * len(data.database)))
    ranks = counting.hit_ranks(1, 4, groups=data.groups(1, 2, 3), limit=limit)
    for query, found in zip((1, 2, 3), ranks, strict=True):
        order = np.argsort(data.distances[query], kind="stable")
        wanted = np.flatnonzero(data.gains[query][order]) + 1
        np.testing.assert_array_equal(found[found <= limit], wanted[wanted <= limit])
        assert np.all(np.diff(found) > 0)


@pytest.mark.parametrize("room", [1, 7_000, 1 << 16])
def test_one_compiled_pass_gives_histograms_and_all_ranks(data, room, monkeypatch):
    monkeypatch.setattr(compiled_counting, "_CACHED_RANKS", room)
    taken = []
    found = CompiledCounting(data.query, data.database, data.relevance).histograms_and_ranks(
        1, 4, lambda query, ranks: taken.append((query, ranks.copy()))
    )
    np.testing.assert_array_equal(found, [data.counts(query, 2) for query in (1, 2, 3)])
    assert [query for query, _ in taken] == [1, 2, 3]
    for query, ranks in taken:
        order = np.argsort(data.distances[query], kind="stable")
        np.testing.assert_array_equal(ranks, np.flatnonzero(data.gains[query][order]) + 1)


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_gains_are_ranked_by_distance_then_position(data, counting, share):
    limit = max(1, int(share * len(data.database)))
    levels, groups = data.relevance.levels, data.groups(1, 2, 3)
    gains = counting.ranked_gains(1, 4, groups=groups, levels=levels, limit=limit)
    for query, found in zip((1, 2, 3), gains, strict=True):
        order = np.argsort(data.distances[query], kind="stable")
        np.testing.assert_array_equal(found, data.gains[query][order][:limit])


@pytest.mark.parametrize("hits", [0, 1, 7, 8, 9, 511, 512, 513, 20_000])
def test_precisions_are_summed_to_the_same_last_bit_by_every_tool(hits):
    rng = np.random.default_rng(hits)
    ranks = np.sort(rng.choice(np.arange(1, 3 * hits + 2), hits, replace=False))
    exact = math.fsum((place + 1) / int(rank) for place, rank in enumerate(ranks))
    found = {ranking.sum_precisions(ranks), stable_order.sum_precisions(ranks)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(exact, rel=1e-14, abs=0)


def test_rare_classes_are_listed_and_frequent_ones_take_a_bit_an_item():
    labels = np.zeros((1_000, 3), dtype=np.uint8)
    labels[::2, 0] = 1
    labels[[5, 700], 2] = 1
    found = index_labels(labels)
    assert found.row_of.tolist() == [0, -1, -1]
    assert np.unpackbits(found.rows.view(np.uint8), bitorder="little").sum() == 500
    assert [found.items[found.starts[c] : found.starts[c + 1]].tolist() for c in range(3)] == [
        [],
        [],
        [5, 700],
    ]


EVERYTHING = [
    *(f"map@{k}/ties={t}" for k in ("all", 300) for t in ("expected", "stable", "best", "worst")),
    *("map@300/div=min", "precision@50", "recall@50", "precision@r2", "pr@radii", "pr11@radii"),
    *(
        f"{f}@300/ties={t}"
        for f in ("ndcg", "acg")
        for t in ("expected", "stable", "best", "worst")
    ),
    *("wap@300", "wap@all/ties=stable"),
]


def test_what_was_counted_by_gain_is_not_counted_again_to_rank_everything(monkeypatch):
    data = Data(bits=16, items=500, classes=8, labels_each=3)
    counted = []
    original = NumpyCounting.histograms

    def noted(self, start, stop, levels):
        counted.append((start, stop))
        return original(self, start, stop, levels)

    monkeypatch.setattr(NumpyCounting, "histograms", noted)
    metrics = [parse_metric("map@all/ties=stable"), parse_metric("ndcg@9")]
    sides = data.query, data.database, data.query_labels, data.labels
    evaluate(*sides, metrics, order_seed=3, tool=Tool.NUMPY)
    assert len(counted) == len(set(counted))


@pytest.mark.parametrize("labels_each", [1, 3])
def test_no_bit_of_a_value_depends_on_the_tool_or_on_the_number_of_threads(labels_each):
    data = Data(bits=32, items=9_000, classes=8, labels_each=labels_each, queries=2_000)
    sides = data.query, data.database, data.query_labels, data.labels
    metrics = [parse_metric(name) for name in EVERYTHING]

    first, *others = [
        evaluate(*sides, metrics, order_seed=3, threads=threads, tool=tool)
        for tool, threads in ((Tool.NUMPY, 1), (Tool.NUMPY, 3), (Tool.NUMBA, 1), (Tool.NUMBA, 5))
    ]

    for other in others:
        for name, wanted in first.items():
            assert other[name].value == wanted.value, name
            np.testing.assert_array_equal(other[name].per_query, wanted.per_query)
            for part, curve in (wanted.curve or {}).items():
                np.testing.assert_array_equal(other[name].curve[part], curve)
