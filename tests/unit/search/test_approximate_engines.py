"""The engines that do not look at every code: their parameters, their guarantees, their limits."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError
from hashbench.search.engine import in_order
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.faiss_hnsw import FaissHNSW
from hashbench.search.engines.faiss_ivf import FaissIVF
from hashbench.search.engines.faiss_multihash import FaissMultiHash
from hashbench.search.engines.usearch import USearch

APPROXIMATE = [FaissIVF, FaissHNSW, FaissMultiHash, USearch]
WIDTHS = [1, 7, 8, 12, 24, 48, 64, 65, 255, 256, 1024]


def clustered(items, bits, *, seed=0, flips=0.1):
    centres = np.random.default_rng(99).choice([-1.0, 1.0], size=(5, bits))
    rng = np.random.default_rng(seed)
    turned = np.where(rng.random((items, bits)) < flips, -1.0, 1.0)
    return Codes.from_outputs(centres[rng.integers(0, 5, items)] * turned)


def distances(query, database):
    return (query.signs()[:, None, :] != database.signs()[None, :, :]).sum(axis=2)


def built(engine, database, **params):
    index = engine(engine.Params(**params))
    index.build(database)
    return index


@pytest.mark.parametrize("engine", APPROXIMATE)
@pytest.mark.parametrize("bits", WIDTHS)
def test_every_find_is_told_with_its_true_distance_in_order_and_once(engine, bits):
    database, query = clustered(400, bits), clustered(9, bits, seed=1)

    found = built(engine, database).search(query, 30)

    true = distances(query, database)
    assert found.ids.shape == found.distances.shape == (9, 30)
    for row in range(9):
        kept = found.ids[row] >= 0
        ids, far = found.ids[row][kept], found.distances[row][kept]
        assert len(ids) > 0
        assert len(set(ids)) == len(ids)
        assert far.tolist() == true[row, ids].tolist()
        assert list(zip(far, ids, strict=True)) == sorted(zip(far, ids, strict=True))
        assert kept.tolist() == sorted(kept, reverse=True)
        assert set(found.distances[row][~kept]) <= {bits + 1}


@pytest.mark.parametrize("engine", APPROXIMATE)
@pytest.mark.parametrize("bits", [8, 64])
def test_a_database_of_one_code_can_be_searched(engine, bits):
    database = clustered(1, bits)
    found = built(engine, database).search(database, 10)
    assert (found.ids.tolist(), found.distances.tolist()) == ([[0]], [[0]])


@pytest.mark.parametrize("engine", APPROXIMATE)
def test_building_twice_on_one_thread_gives_the_same_answers(engine):
    database, query = clustered(500, 24), clustered(5, 24, seed=1)
    index = engine()
    with index.pinned_threads(1):
        index.build(database)
        first = index.search(query, 20)
        index.build(database)
        second = index.search(query, 20)
    np.testing.assert_array_equal(first.ids, second.ids)


@pytest.mark.parametrize("engine", APPROXIMATE)
def test_an_index_grows_with_its_codes(engine):
    small, large = built(engine, clustered(100, 64)), built(engine, clustered(1000, 64))
    assert engine().bytes == 0
    assert large.bytes > small.bytes > 100 * 8


def test_visiting_every_list_finds_what_the_exact_scan_finds():
    database, query = clustered(600, 48), clustered(8, 48, seed=1)
    index = built(FaissIVF, database, nlist=10, nprobe=10)
    np.testing.assert_array_equal(
        index.search(query, 50).distances, built(ExactScan, database).search(query, 50).distances
    )


def test_ivf_takes_the_root_of_the_databases_size_and_visits_no_more_than_there_is():
    index = built(FaissIVF, clustered(401, 16), nprobe=30)
    assert FaissIVF().facts == {}
    assert index.facts == {"nlist": 20, "nprobe": 20}


def test_a_list_with_too_few_codes_leaves_places_empty():
    database = clustered(40, 16)
    found = built(FaissIVF, database, nlist=20, nprobe=1).search(database, 40)
    assert (found.ids[:, 0] >= 0).all()
    assert (found.ids[:, -1] == -1).all()
    assert (found.distances[:, -1] == 17).all()


@pytest.mark.parametrize(("bits", "nhash", "b"), [(12, 2, 6), (20, 4, 5), (30, 3, 10), (64, 8, 8)])
@pytest.mark.parametrize("nflip", [0, 1])
def test_multi_hash_finds_everything_within_its_radius_at_any_code_length(bits, nhash, b, nflip):
    database, query = clustered(500, bits), clustered(20, bits, seed=1)
    radius = nhash * (nflip + 1) - 1

    found = built(FaissMultiHash, database, nhash=nhash, b=b, nflip=nflip).search(query, 500)

    near = distances(query, database) <= radius
    assert near.sum() > 20
    for row, ids in enumerate(found.ids):
        assert set(np.flatnonzero(near[row])) <= set(ids)


def test_multi_hash_looks_at_no_padding():
    # 12 bits in one key: of the 4096 possible codes each has a bucket of its own.
    every = np.array([[i >> bit & 1 for bit in range(12)] for i in range(4096)]) * 2 - 1
    database = Codes.from_outputs(every)
    found = built(FaissMultiHash, database, nhash=1, b=12, nflip=0).search(database, 2)
    assert found.ids[:, 0].tolist() == list(range(4096))
    assert (found.ids[:, 1] == -1).all()


@pytest.mark.parametrize(
    ("params", "facts"),
    [
        ({}, {"nhash": 6, "b": 10}),
        ({"b": 16}, {"nhash": 4, "b": 16}),
        ({"nhash": 3}, {"nhash": 3, "b": 10}),
        ({"nhash": 16}, {"nhash": 16, "b": 4}),
    ],
)
def test_multi_hash_chooses_keys_as_long_as_the_database_has_codes_for(params, facts):
    assert FaissMultiHash().facts == {}
    assert built(FaissMultiHash, clustered(1024, 64), **params).facts == facts


@pytest.mark.parametrize("engine", APPROXIMATE)
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("items", [1, 2, 3, 1000])
def test_the_defaults_fit_every_code_length_and_database(engine, bits, items):
    assert engine.refusals(engine.Params(), bits=bits, items=items) == []


@pytest.mark.parametrize(
    ("engine", "params", "problem"),
    [
        (
            FaissIVF,
            {"nlist": 41},
            "faiss_ivf: nlist 41 is more than the 40 codes of the database; make it smaller, or "
            "leave it out",
        ),
        (
            FaissIVF,
            {"nlist": 4, "nprobe": 5},
            "faiss_ivf: nprobe 5 is more than nlist 4; make it smaller, or use the engine exact",
        ),
        (
            FaissMultiHash,
            {"nhash": 3, "b": 6},
            "faiss_multihash: nhash 3 times b 6 is more than the 16 bits of a code; make one of "
            "them smaller, or leave it out",
        ),
        (
            FaissMultiHash,
            {"nhash": 5, "b": 3, "nflip": 4},
            "faiss_multihash: nflip 4 is more than the 3 bits of a key; make it smaller, or b "
            "larger",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_before_anything_is_built(engine, params, problem):
    resolved = engine.Params(**params)
    assert engine.refusals(resolved, bits=16, items=40) == [problem]
    with pytest.raises(ConfigError) as caught:
        engine(resolved).build(clustered(40, 16))
    assert str(caught.value) == problem


def test_usearch_takes_its_threads_only_while_pinned():
    index = built(USearch, clustered(50, 16))
    with index.pinned_threads(2) as threads:
        assert threads == 2
        assert index.search(clustered(3, 16), 5).ids.shape == (3, 5)
    assert index._threads == 1


def test_finds_are_sorted_by_distance_then_id_with_missing_ones_last():
    found = in_order(np.array([[3, 2**31 - 1, 0, 3]]), np.array([[9, -1, 7, 2]]), bits=8)
    assert found.ids.tolist() == [[7, 2, 9, -1]]
    assert found.distances.tolist() == [[0, 3, 3, 9]]
    assert (found.ids.dtype, found.distances.dtype) == (np.int64, np.int32)
