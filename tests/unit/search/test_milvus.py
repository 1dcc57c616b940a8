"""Codes served by Milvus: by the embedded Milvus Lite, and by a stand-in for a server's client."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib import metadata
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Kind, registry
from hashbench.search import milvus_client
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.milvus import MOST_NEIGHBOURS, Milvus
from hashbench.search.milvus_client import TOKEN_VARIABLE
from hashbench.search.recall import ExactAnswers

URI = "http://milvus.example:19530"


def codes(items, bits, *, seed=0):
    return Codes.from_outputs(np.random.default_rng([items, seed]).standard_normal((items, bits)))


def distances(query, database):
    return (query.signs()[:, None, :] != database.signs()[None, :, :]).sum(axis=2)


class FakeMilvusError(Exception):
    """The error of the stand-in, as pymilvus raises its MilvusException."""

    def __init__(self, message):
        super().__init__(message)
        self.message = message


class FakeMilvusServer:
    """A stand-in for a Milvus server: remembers what it was asked, answers by counting bits.

    Of equal distances it puts the larger ids first, which a real one may do too.
    """

    def __init__(self):
        self.collections, self.indexes, self.logins, self.searched = {}, [], [], []
        self.refuses = {}
        self.nearest_only = None

    def client(self, *, uri, token, timeout):
        assert timeout > 0
        self.logins.append((uri, token))
        self._may("connect")
        return FakeMilvusClient(self)

    def _may(self, what):
        if what in self.refuses:
            raise FakeMilvusError(self.refuses[what])


class FakeMilvusClient:
    def __init__(self, server):
        self.server = server

    def create_schema(self, *, auto_id):
        assert auto_id is False
        return types.SimpleNamespace(add_field=lambda *words, **more: self.field(**more))

    def field(self, *, dim=None, is_primary=False):
        self.dim = dim or getattr(self, "dim", None)

    def prepare_index_params(self):
        return types.SimpleNamespace(
            add_index=lambda field, **about: self.server.indexes.append(about)
        )

    def create_collection(self, name, *, schema, index_params, consistency_level):
        self.server._may("create")
        assert consistency_level == "Strong"
        self.server.collections[name] = []

    def insert(self, name, rows):
        self.server._may("insert")
        assert all(8 * len(row["code"]) == self.dim for row in rows)
        self.server.collections[name] += rows

    def load_collection(self, name):
        assert self.server.collections[name]

    def search(self, name, *, data, anns_field, limit, search_params):
        self.server._may("search")
        assert anns_field == "code"
        self.server.searched.append((len(data), limit, search_params))
        rows = self.server.collections[name]
        held = np.array([np.frombuffer(row["code"], np.uint8) for row in rows])
        ids = np.array([row["id"] for row in rows])
        found = []
        for each in data:
            far = np.bitwise_count(held ^ np.frombuffer(each, np.uint8)).sum(axis=1)
            order = np.lexsort((-ids, far))[: self.server.nearest_only or limit]
            found.append([{"id": ids[at], "distance": float(far[at])} for at in order])
        return found

    def get_server_version(self):
        return "v2.6.5"

    def drop_collection(self, name):
        del self.server.collections[name]

    def close(self):
        pass


@pytest.fixture
def fake_server(monkeypatch):
    """A stand-in for pymilvus and the server that it would talk to."""
    server = FakeMilvusServer()
    fake = types.ModuleType("pymilvus")
    fake.__spec__ = ModuleSpec("pymilvus", loader=None)
    fake.MilvusClient = server.client
    fake.MilvusException = FakeMilvusError
    fake.DataType = types.SimpleNamespace(INT64=5, BINARY_VECTOR=100)
    monkeypatch.setitem(sys.modules, "pymilvus", fake)
    return server


def on_server(**params):
    return Milvus(Milvus.Params(uri=URI, **params))


def test_milvus_is_found_by_its_name():
    assert registry().load(Kind.ENGINE, "milvus") is Milvus
    assert Milvus.available() is None


@pytest.mark.parametrize("bits", [1, 12, 64, 65])
def test_milvus_lite_finds_as_near_as_the_exact_scan_at_any_code_length(bits):
    database, query = codes(300, bits), codes(9, bits, seed=1)
    engine, scan = Milvus(), ExactScan()
    engine.build(database)
    scan.build(database)

    found = engine.search(query, 20)

    np.testing.assert_array_equal(found.distances, scan.search(query, 20).distances)
    true = distances(query, database)
    for row in range(9):
        ids, far = found.ids[row].tolist(), found.distances[row].tolist()
        assert len(set(ids)) == 20
        assert far == true[row, ids].tolist()
        assert list(zip(far, ids, strict=True)) == sorted(zip(far, ids, strict=True))
    assert ExactAnswers(query, database).recall(found, 20) == 1.0
    assert engine.facts == {"served_by": f"Milvus Lite {metadata.version('milvus-lite')}"}
    assert engine.bytes == 300 * (-(-bits // 8) + 8)


def test_milvus_lite_forgets_what_it_had_and_leaves_no_folder_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(milvus_client.tempfile, "tempdir", str(tmp_path))
    engine = Milvus()
    with engine.pinned_threads(1) as threads:
        engine.build(codes(5, 16))
        engine.build(codes(3, 24))
    assert threads == 1
    assert len(list(tmp_path.glob("hashbench-milvus-*"))) == 1
    found = engine.search(codes(3, 24), 10)
    assert found.ids[:, 0].tolist() == [0, 1, 2]
    assert found.ids.shape == (3, 3)
    engine._drop()
    assert list(tmp_path.glob("hashbench-milvus-*")) == []


def test_a_server_gets_padded_codes_in_a_collection_that_is_dropped_in_the_end(
    fake_server, monkeypatch
):
    monkeypatch.setenv(TOKEN_VARIABLE, "root:secret")
    monkeypatch.setattr(milvus_client, "_BYTES_AT_ONCE", 100)
    engine = on_server(index="BIN_IVF_FLAT", nlist=16, nprobe=3)
    database = codes(130, 12)
    engine.build(database)

    assert fake_server.logins == [(URI, "root:secret")]
    ((name, rows),) = fake_server.collections.items()
    assert name.startswith("hashbench_")
    assert [row["id"] for row in rows] == list(range(130))
    assert b"".join(row["code"] for row in rows) == database.packed.tobytes()
    index = {"metric_type": "HAMMING", "index_type": "BIN_IVF_FLAT", "params": {"nlist": 16}}
    assert fake_server.indexes == [index]
    assert engine.facts == {"served_by": "Milvus v2.6.5"}
    engine.search(codes(2, 12), 4)
    assert fake_server.searched == [(2, 4, {"metric_type": "HAMMING", "params": {"nprobe": 3}})]
    del engine
    assert fake_server.collections == {}


def test_what_a_server_finds_is_put_in_order_by_distance_then_id(fake_server):
    same = Codes(np.repeat(codes(1, 12).packed, 50, axis=0), 12)
    engine = on_server()
    engine.build(same)
    assert engine.search(codes(1, 12), 7).ids.tolist() == [[43, 44, 45, 46, 47, 48, 49]]


def test_places_that_a_server_does_not_fill_are_empty(fake_server):
    engine = on_server()
    engine.build(codes(20, 12))
    fake_server.nearest_only = 3
    found = engine.search(codes(2, 12), 5)
    assert found.ids[:, 3:].tolist() == [[-1, -1]] * 2
    assert found.distances[:, 3:].tolist() == [[13, 13]] * 2
    assert (found.ids[:, :3] >= 0).all()


def test_many_queries_are_asked_a_part_at_a_time(fake_server, monkeypatch):
    monkeypatch.setattr(milvus_client, "_ANSWERS_AT_ONCE", 20)
    database, query = codes(40, 16), codes(9, 16, seed=1)
    engine = on_server()
    engine.build(database)
    found = engine.search(query, 5)
    assert [asked for asked, _, _ in fake_server.searched] == [4, 4, 1]
    nearest = np.sort(distances(query, database), axis=1)[:, :5]
    assert found.distances.tolist() == nearest.tolist()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("connect", f"no Milvus answers at {URI}"),
        ("create", "Milvus refused a collection"),
        ("insert", "Milvus took no codes"),
    ],
)
def test_a_server_that_refuses_is_told_in_one_line_and_keeps_nothing(fake_server, what, told):
    fake_server.refuses[what] = "because\nof this"
    with pytest.raises(ConfigError) as raised:
        on_server().build(codes(5, 12))
    assert str(raised.value) == f"engine 'milvus': {told}: because of this"
    assert fake_server.collections == {}


def test_a_search_that_fails_is_told_in_one_line(fake_server):
    engine = on_server()
    engine.build(codes(5, 12))
    fake_server.refuses["search"] = "no"
    with pytest.raises(ConfigError, match=r"^engine 'milvus': Milvus did not search: no$"):
        engine.search(codes(1, 12), 1)


def test_more_neighbours_than_milvus_gives_are_refused_before_it_is_asked(fake_server):
    engine = on_server()
    engine.build(codes(MOST_NEIGHBOURS + 1, 8))
    with pytest.raises(ConfigError, match=r"at most 16,384 neighbours, got 16,385"):
        engine.search(codes(1, 8), MOST_NEIGHBOURS + 1)
    assert fake_server.searched == []


def test_searches_without_sense_are_refused_as_by_any_engine(fake_server):
    engine = on_server()
    with pytest.raises(RuntimeError, match="build an index"):
        engine.search(codes(1, 12), 1)
    engine.build(codes(5, 12))
    with pytest.raises(DataError, match="queries have 8 bits"):
        engine.search(codes(1, 8), 1)
    with pytest.raises(ConfigError, match="k: must be at least 1"):
        engine.search(codes(1, 12), 0)
    with pytest.raises(DataError, match="the database is empty"):
        engine.build(codes(0, 12))


def test_milvus_lite_is_asked_for_no_index_that_it_lacks():
    params = Milvus.Params(index="BIN_IVF_FLAT")
    (refused,) = Milvus.refusals(params, bits=64, items=100)
    assert "Milvus Lite has BIN_FLAT only" in refused
    assert Milvus.refusals(Milvus.Params(index="BIN_IVF_FLAT", uri=URI), bits=64, items=9) == []


def test_a_milvus_lite_without_binary_vectors_is_refused_with_its_remedy(monkeypatch):
    monkeypatch.setattr(milvus_client.metadata, "version", lambda name: "3.2.2")
    (refused,) = Milvus.refusals(Milvus.Params(), bits=64, items=100)
    assert "Milvus Lite 3.2.2 has no binary vectors; pip install 'hashbench[milvus]'" in refused


def test_a_milvus_lite_that_does_not_load_is_refused_with_the_reason(monkeypatch):
    def missing(name):
        raise ImportError("No module named 'pkg_resources'")

    monkeypatch.setattr(milvus_client, "import_module", missing)
    (refused,) = Milvus.refusals(Milvus.Params(), bits=64, items=100)
    assert "does not load (No module named 'pkg_resources')" in refused


def test_without_pymilvus_the_engine_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("hashbench.search.engines.milvus.find_spec", lambda name: None)
    assert Milvus.available() == ("engine 'milvus' needs pymilvus: pip install 'hashbench[milvus]'")
    with pytest.raises(ConfigError, match="needs pymilvus"):
        Milvus().build(codes(5, 12))


def test_importing_the_engine_imports_no_milvus():
    script = "import sys, hashbench.search.engines.milvus; print('pymilvus' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
