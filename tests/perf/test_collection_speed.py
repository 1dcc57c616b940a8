"""Benchmarks of a collection of a million codes; with benchmarks disabled, tiny and once.

``pytest tests/perf/test_collection_speed.py --benchmark-enable`` measures.
"""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.serve.answers import tie_groups
from hashbench.serve.collection import About, Collection
from hashbench.serve.index import row_of

ITEMS = 1_000_000
TINY = 300


@pytest.fixture(params=[32, 64, 128])
def codes(request, benchmark):
    rng = np.random.default_rng(0)
    count = TINY if benchmark.disabled else ITEMS
    return Codes(rng.integers(0, 256, (count, request.param // 8), dtype=np.uint8), request.param)


@pytest.fixture
def collection(codes, tmp_path):
    about = About("big", "f" * 16, "e" * 16, codes.bits, "2026-01-01T00:00:00+00:00")
    made = Collection.create(tmp_path / "big", about)
    made.add(codes, [f"photo {row}.jpg" for row in range(len(codes))])
    return made


def search(collection, query):
    index, items = collection.index()
    found = index.search(query, 100)
    groups, _ = tie_groups(index, query, found)
    return [items[int(at)] for at in found.ids], groups


def test_searching_for_100_neighbours_with_their_ties(benchmark, collection, codes):
    query = row_of(codes, 7)
    search(collection, query)  # builds the engine
    items, groups = benchmark(search, collection, query)
    assert (items[0].id, len(items)) == (7, 100)
    assert groups[-1]["ranks"][1] == 100


def test_searching_right_after_an_image_was_added(benchmark, collection, codes):
    def add():
        collection.add(row_of(codes, 7), ["one more"])
        return (collection, row_of(codes, 7)), {}

    items, _ = benchmark.pedantic(search, setup=add, rounds=1 if benchmark.disabled else 5)
    assert "one more" in {item.name for item in items}


def test_opening(benchmark, collection):
    opened = benchmark.pedantic(
        Collection, (collection.folder,), rounds=1 if benchmark.disabled else 3
    )
    assert len(opened) == len(collection)
