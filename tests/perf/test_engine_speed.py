"""Benchmarks of the engines; with benchmarks disabled, one quick round at tiny size.

``pytest tests/perf --benchmark-enable`` measures.
"""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.faiss_flat import FaissFlat
from hashbench.search.engines.faiss_hnsw import FaissHNSW
from hashbench.search.engines.faiss_ivf import FaissIVF
from hashbench.search.engines.faiss_multihash import FaissMultiHash
from hashbench.search.engines.usearch import USearch

COMPLETE = [ExactScan, FaissFlat]
BITS = 64
TINY = 300


@pytest.mark.parametrize("engine", [*COMPLETE, FaissIVF, FaissHNSW, FaissMultiHash, USearch])
@pytest.mark.parametrize("batch", [1, 100])
@pytest.mark.parametrize("items", [5_000, 100_000, 1_000_000])
def test_searching_for_100_neighbours(benchmark, items, batch, engine):
    rng = np.random.default_rng(0)
    count = TINY if benchmark.disabled else items
    database = Codes(rng.integers(0, 256, (count, BITS // 8), dtype=np.uint8), BITS)
    query = Codes(database.packed[:batch], BITS)
    index = engine()
    index.build(database)

    with index.pinned_threads(1):
        found = benchmark(index.search, query, 100)

    assert found.ids.shape == (batch, 100)
    assert engine not in COMPLETE or not found.distances[:, 0].any()  # the queries are in there
    assert np.all(np.diff(found.distances, axis=1) >= 0)
