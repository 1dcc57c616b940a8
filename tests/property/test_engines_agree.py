"""Engines return the same neighbours as a sort by (distance, id)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashbench.core.codes import Codes
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.exact_cuda import ExactCUDA
from hashbench.search.engines.faiss_flat import FaissFlat


@st.composite
def searches(draw):
    """Codes with few centres, so that equal distances are common, and a k around N."""
    bits = draw(st.sampled_from([1, 8, 12, 24, 48, 64, 65, 255, 256, 1024]))
    queries, items = draw(st.integers(1, 5)), draw(st.integers(1, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    centres = rng.choice([-1.0, 1.0], size=(2, bits))
    flips = np.where(rng.random((queries + items, bits)) < 2 / bits, -1.0, 1.0)
    outputs = centres[rng.integers(0, 2, queries + items)] * flips
    return outputs[:queries], outputs[queries:], draw(st.integers(1, 2 * items))


class OnCPU(ExactCUDA):
    """The scan of a CUDA device, on the CPU."""

    info = ExactCUDA.info
    device = "cpu"


@pytest.mark.parametrize("engine", [ExactScan, FaissFlat, OnCPU])
@settings(max_examples=120, deadline=None)
@given(case=searches())
def test_neighbours_are_a_sort_by_distance_then_id(engine, case):
    query, database, k = case
    index = engine()
    index.build(Codes.from_outputs(database))

    found = index.search(Codes.from_outputs(query), k)

    distances = (query[:, None, :] != database[None, :, :]).sum(axis=2)
    ids = np.argsort(distances, axis=1, kind="stable")[:, :k]
    assert found.ids.dtype == np.int64
    assert found.distances.dtype == np.int32
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(found.distances, np.take_along_axis(distances, ids, axis=1))
