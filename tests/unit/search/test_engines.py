"""Every engine keeps the contract of `IndexEngine`, and refuses the same input."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Kind, registry
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.faiss_flat import FaissFlat
from hashbench.search.engines.faiss_hnsw import FaissHNSW
from hashbench.search.engines.faiss_ivf import FaissIVF
from hashbench.search.engines.faiss_multihash import FaissMultiHash
from hashbench.search.engines.usearch import USearch

FAISS = {
    "faiss_flat": FaissFlat,
    "faiss_hnsw": FaissHNSW,
    "faiss_ivf": FaissIVF,
    "faiss_multihash": FaissMultiHash,
}
NAMED = {"exact": ExactScan, **FAISS, "usearch": USearch}
ENGINES = list(NAMED.values())
COMPLETE = [ExactScan, FaissFlat]


def codes(items, bits=12):
    return Codes.from_outputs(np.random.default_rng(items).standard_normal((items, bits)))


def built(engine, database):
    index = engine()
    index.build(database)
    return index


@pytest.mark.parametrize(("name", "engine"), NAMED.items())
def test_an_engine_is_found_by_its_name(name, engine):
    assert registry().load(Kind.ENGINE, name) is engine
    assert engine.KIND is Kind.ENGINE
    assert engine.info.title
    assert engine.available() is None


@pytest.mark.parametrize("engine", COMPLETE)
def test_a_k_above_the_database_returns_all_of_it(engine):
    found = built(engine, codes(4)).search(codes(2), 10)
    assert found.ids.shape == found.distances.shape == (2, 4)
    assert sorted(found.ids[0]) == [0, 1, 2, 3]


@pytest.mark.parametrize("engine", COMPLETE)
def test_equal_codes_come_back_by_id(engine):
    same = Codes(np.repeat(codes(1).packed, 50, axis=0), 12)
    found = built(engine, same).search(codes(1), 7)
    assert found.ids.tolist() == [[0, 1, 2, 3, 4, 5, 6]]
    assert not found.distances.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_building_again_forgets_the_first_database(engine):
    index = built(engine, codes(50, 64))
    index.build(codes(3, 16))
    assert index.search(codes(1, 16), 9).ids.shape == (1, 3)


@pytest.mark.parametrize(("engine", "index_bytes"), [(ExactScan, 5 * 8), (FaissFlat, 5 * 2)])
def test_the_size_of_the_index_is_known(engine, index_bytes):
    assert engine().bytes == 0
    assert built(engine, codes(5, 12)).bytes == index_bytes


@pytest.mark.parametrize("engine", ENGINES)
def test_no_codes_are_written_to(engine):
    query, database = codes(3), codes(9)
    query.packed.flags.writeable = database.packed.flags.writeable = False
    assert built(engine, database).search(query, 2).ids.shape == (3, 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("query", "k", "error", "problem"),
    [
        (codes(0), 5, DataError, "search: zero queries; there is nothing to look for"),
        (codes(1, 16), 5, DataError, "codes: queries have 16 bits, the database 12"),
        (codes(1), 0, ConfigError, "k: must be at least 1, got 0"),
    ],
)
def test_a_search_that_means_nothing_is_refused(engine, query, k, error, problem):
    with pytest.raises(error) as caught:
        built(engine, codes(4)).search(query, k)
    assert str(caught.value) == problem


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_database_is_refused(engine):
    with pytest.raises(DataError, match="the database is empty"):
        engine().build(codes(0))


@pytest.mark.parametrize("engine", ENGINES)
def test_searching_before_building_is_a_mistake_of_the_program(engine):
    with pytest.raises(RuntimeError, match="build an index before searching it"):
        engine().search(codes(1), 1)


@pytest.mark.parametrize(("name", "engine"), FAISS.items())
def test_a_missing_faiss_says_how_to_install_it(name, engine, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "hashbench.search.faiss_binary.find_spec",
        lambda name: None if name == "faiss" else find_spec(name),
    )
    remedy = f"engine '{name}' needs faiss: pip install 'hashbench[faiss]'"
    assert engine.available() == remedy
    with pytest.raises(ConfigError) as caught:
        engine().build(codes(3))
    assert str(caught.value) == remedy


def test_a_missing_usearch_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("hashbench.search.engines.usearch.find_spec", lambda name: None)
    remedy = "engine 'usearch' needs usearch: pip install 'hashbench[usearch]'"
    assert USearch.available() == remedy
    with pytest.raises(ConfigError) as caught:
        USearch().build(codes(3))
    assert str(caught.value) == remedy
