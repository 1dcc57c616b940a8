"""Benchmarks of the evaluation; with benchmarks disabled, one quick round at tiny size.

``pytest tests/perf --benchmark-enable`` measures.
"""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.tool import Tool

CLASSES = 10
TINY = (20, 200)
TIE_AWARE = [
    "map@all", "map@all/div=min", "map@1000", "map@1000/div=min", "map@1000/ties=best",
    "map@1000/ties=worst", "precision@100", "recall@100", "precision@r2", "pr@radii",
]  # fmt: skip


def clustered(queries, items, bits):
    """Codes around class centres, and their labels."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, queries + items)
    centres = rng.standard_normal((CLASSES, bits))
    codes = Codes.from_outputs(centres[classes] + rng.standard_normal((queries + items, bits)))
    labels = np.eye(CLASSES, dtype=np.uint8)[classes]
    sides = slice(queries), slice(queries, None)
    return (
        *(Codes(codes.packed[side], bits) for side in sides),
        *(np.ascontiguousarray(labels[side]) for side in sides),
    )


@pytest.mark.parametrize("tool", list(Tool))
@pytest.mark.parametrize("stable", [False, True], ids=["tie-aware", "with-stable"])
@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize("size", [(500, 5_000), (1_000, 54_000)], ids=["500x5k", "1kx54k"])
def test_evaluating_with_ten_metrics(benchmark, size, bits, stable, tool):
    sides = clustered(*(TINY if benchmark.disabled else size), bits)
    names = [*TIE_AWARE, "map@all/ties=stable"] if stable else TIE_AWARE
    metrics = [parse_metric(name) for name in names]

    evaluate(*clustered(*TINY, bits), metrics, order_seed=0, tool=tool)  # compiles
    found = benchmark(evaluate, *sides, metrics, order_seed=0, threads=2, tool=tool)

    assert list(found) == [metric.name for metric in metrics]
    # Far above the prior of one in ten: the codes were ranked, not merely counted.
    assert all(found[m.name].value > 0.2 for m in metrics if m.name.startswith("map"))
