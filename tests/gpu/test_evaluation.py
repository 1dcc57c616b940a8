"""Evaluation on a CUDA device gives what the CPU gives, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hashbench.core.codes import Codes
from hashbench.evaluation.device_counting import DeviceCounting
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.numpy_counting import NumpyCounting
from hashbench.evaluation.relevance import Relevance
from hashbench.search import device_scan
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.exact_cuda import ExactCUDA

pytestmark = pytest.mark.gpu

METRICS = [
    parse_metric(name)
    for name in (
        *("map@all", "map@50", "map@50/ties=best", "map@50/div=min", "map@all/ties=stable"),
        *("precision@50", "recall@r2", "pr@radii", "ndcg@50", "acg@50", "wap@50"),
        *("ndcg@50/ties=stable", "ndcg@50/ties=worst"),
    )
]


def sides(
    bits: int, classes: int, *, items: int, queries: int = 40
) -> tuple[Codes, Codes, np.ndarray, np.ndarray]:
    """Codes of which many are at equal distances, and labels, several an image."""
    rng = np.random.default_rng(bits)
    outputs = np.where(rng.random((queries + items, bits)) < 0.2, -1.0, 1.0)
    labels = (rng.random((queries + items, classes)) < 2 / classes).astype(np.uint8)
    query, database = (Codes.from_outputs(part) for part in np.split(outputs, [queries]))
    return query, database, *np.split(labels, [queries])


@pytest.mark.parametrize(("bits", "classes"), [(12, 3), (64, 21), (100, 80), (1024, 10)])
def test_values_are_those_of_the_cpu(bits: int, classes: int, device: torch.device) -> None:
    data = sides(bits, classes, items=5_000)

    on_cpu, on_device = (
        evaluate(*data, METRICS, order_seed=0, device=where) for where in ("cpu", device.type)
    )

    for metric in METRICS:
        assert on_device[metric.name].value == on_cpu[metric.name].value, metric.name
        assert np.array_equal(on_device[metric.name].per_query, on_cpu[metric.name].per_query)


def test_counts_do_not_depend_on_the_part_of_the_database_held_at_once(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, database, query_labels, labels = sides(64, 21, items=3_001)
    relevance = Relevance(query_labels, labels)
    wanted = NumpyCounting(query, database, relevance).histograms(0, 40, relevance.levels)
    monkeypatch.setattr(device_scan, "PAIRS_AT_ONCE", 40 * 128)

    found = DeviceCounting(query, database, relevance, device=device)

    assert np.array_equal(found.histograms(0, 40, relevance.levels), wanted)


def test_the_neighbours_are_those_of_the_exact_scan(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, database, _, _ = sides(48, 3, items=3_001)
    monkeypatch.setattr(device_scan, "PAIRS_AT_ONCE", 40 * 128)
    monkeypatch.setattr(ExactCUDA, "device", device.type)
    found = []
    for engine in (ExactScan(), ExactCUDA()):
        engine.build(database)
        found.append(engine.search(query, 200))

    assert np.array_equal(found[0].ids, found[1].ids)
    assert np.array_equal(found[0].distances, found[1].distances)
