"""The latency measurement: what it states, and when it states nothing."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo
from hashbench.search.engine import IndexEngine, Neighbours
from hashbench.search.engines.exact import ExactScan
from hashbench.search.engines.faiss_flat import FaissFlat
from hashbench.search.engines.faiss_ivf import FaissIVF
from hashbench.search.latency import Workload, measure_engine, percentile
from hashbench.search.recall import ExactAnswers

QUICK = {"warmup_seconds": 0.0, "max_seconds": 0.02}


def codes(items, bits=16):
    return Codes.from_outputs(np.random.default_rng(items).standard_normal((items, bits)))


def measure_one(
    engine, query, database, *, k, batch=1, min_samples=1000, max_seconds=3.0, **options
):
    """Measure a single kind of search."""
    load = Workload(k, batch, min_samples, max_seconds)
    (result,) = measure_engine(engine, query, database, [load], **options)
    return result


class Recorder(IndexEngine):
    """Does nothing but remember what it was asked, and under which thread limit."""

    info = ComponentInfo(title="Recorder")
    bytes = 123

    def __init__(self):
        super().__init__()
        self.events = []
        self.batches = []

    def build(self, database):
        self.events.append(f"build {len(database)}")

    def search(self, query, k):
        self.events.append(f"search {len(query)} for {k}")
        self.batches.append(query.packed)
        empty = np.zeros((len(query), k))
        return Neighbours(empty.astype(np.int32), empty.astype(np.int64))

    @contextmanager
    def pinned_threads(self, threads):
        self.events.append(f"pin {threads}")
        yield 3
        self.events.append("unpin")


def test_it_builds_once_inside_the_thread_limit_and_warms_up_before_sampling():
    engine = Recorder()
    result = measure_one(
        engine, codes(5), codes(40), k=7, batch=2, threads=4, min_samples=6, **QUICK
    )
    warm_up_and_samples = ["search 2 for 7"] * (1 + 6)
    assert engine.events == ["pin 4", "build 40", *warm_up_and_samples, "unpin"]
    assert result.samples == 6
    assert (result.k, result.batch, result.threads, result.threads_asked) == (7, 2, 3, 4)
    assert (result.bits, result.database, result.index_bytes) == (16, 40, 123)


def test_batches_go_through_the_queries_in_order_and_start_over():
    engine, query = Recorder(), codes(3)
    measure_one(engine, query, codes(9), k=1, batch=2, min_samples=3, **QUICK)
    seen = np.concatenate(engine.batches)
    wanted = query.packed[[0, 1, 2, 0, 0, 1, 2, 0]]
    np.testing.assert_array_equal(seen, wanted)


def test_a_batch_above_the_number_of_queries_repeats_them():
    engine = Recorder()
    measure_one(engine, codes(3), codes(9), k=1, batch=7, min_samples=1, **QUICK)
    assert [len(batch) for batch in engine.batches] == [7, 7]


def test_time_runs_out_before_the_samples_do():
    result = measure_one(
        Recorder(), codes(3), codes(9), k=1, min_samples=10**9, warmup_seconds=0, max_seconds=0
    )
    assert result.samples == 1
    assert (result.p50_ms, result.p95_ms, result.p99_ms, result.p999_ms) == (None,) * 4
    assert result.mean_ms > 0


def test_several_settings_share_one_index_and_each_is_warmed_up():
    engine = Recorder()
    workloads = [
        Workload(k=1, batch=2, samples=2, seconds=9),
        Workload(k=7, batch=1, samples=1, seconds=9),
    ]

    results = list(
        measure_engine(engine, codes(4), codes(40), workloads, threads=2, warmup_seconds=0)
    )

    searches = ["search 2 for 1"] * (1 + 2) + ["search 1 for 7"] * (1 + 1)
    assert engine.events == ["pin 2", "build 40", *searches, "unpin"]
    assert [(result.k, result.batch, result.samples) for result in results] == [
        (1, 2, 2),
        (7, 1, 1),
    ]


def test_ten_thousand_samples_give_the_999th_of_a_thousand():
    result = measure_one(Recorder(), codes(3), codes(9), k=1, min_samples=10_000, max_seconds=600)
    assert result.samples == 10_000
    assert result.p99_ms is not None
    assert result.p999_ms is not None
    assert result.p99_ms <= result.p999_ms


def test_recall_and_what_was_chosen_come_with_the_times():
    query, database = codes(20), codes(400)
    exact = ExactAnswers(query, database)
    whole = measure_one(FaissIVF(), query, database, k=9, exact=exact, **QUICK)
    params = FaissIVF.Params(nlist=100, nprobe=1)
    part = measure_one(FaissIVF(params), query, database, k=9, exact=exact, **QUICK)
    assert (whole.recall_queries, whole.facts) == (20, {"nlist": 20, "nprobe": 8})
    assert part.facts == {"nlist": 100, "nprobe": 1}
    assert 0 < part.recall < whole.recall <= 1
    assert measure_one(ExactScan(), query, database, k=9, **QUICK).recall is None
    assert measure_one(ExactScan(), query, database, k=9, exact=exact, **QUICK).recall == 1


def test_the_machines_load_before_the_build_is_kept(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1.25, 9.0, 9.0))
    result = measure_one(ExactScan(), codes(2), codes(9), k=1, **QUICK)
    assert result.load_average == 1.25


def test_an_engine_that_refuses_the_codes_builds_nothing():
    engine = FaissIVF(FaissIVF.Params(nlist=10))
    with pytest.raises(ConfigError, match="nlist 10 is more than the 9 codes"):
        measure_one(engine, codes(2), codes(9), k=1, **QUICK)
    assert engine.bytes == 0


@pytest.mark.parametrize("engine", [ExactScan, FaissFlat])
def test_a_real_engine_gives_ordered_percentiles_that_json_can_hold(engine):
    result = measure_one(engine(), codes(20), codes(300), k=10, max_seconds=30)
    assert result.samples == 1000
    assert result.p50_ms is not None
    assert result.p95_ms is not None
    assert result.p99_ms is not None
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert result.queries_per_second * result.mean_ms == pytest.approx(1000)
    assert result.build_seconds > 0
    assert json.loads(json.dumps(asdict(result))) == asdict(result)


def test_the_own_scan_says_that_it_has_one_thread():
    result = measure_one(ExactScan(), codes(2), codes(9), k=1, threads=8, **QUICK)
    assert (result.threads, result.threads_asked) == (1, 8)


def test_faiss_is_pinned_while_measured_and_released_after():
    import faiss

    before = faiss.omp_get_max_threads()
    with FaissFlat().pinned_threads(before + 1) as threads:
        assert threads == faiss.omp_get_max_threads() == before + 1
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize(
    ("share", "needed"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000), (0.999, 10_000)]
)
def test_a_percentile_is_stated_only_with_ten_samples_beyond_it(share, needed):
    samples = np.arange(1.0, needed + 1)
    assert percentile(samples[:-1], share) is None
    assert percentile(samples, share) == pytest.approx(share * needed)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"k": 0}, "k: must be at least 1, got 0"),
        ({"k": 1, "batch": 0}, "batch: must be at least 1, got 0"),
        ({"k": 1, "threads": -1}, "threads: must be at least 1, got -1"),
        ({"k": 1, "min_samples": 0}, "samples: must be at least 1, got 0"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, problem):
    with pytest.raises(ConfigError) as caught:
        measure_one(ExactScan(), codes(2), codes(9), **settings)
    assert str(caught.value) == problem


def test_every_setting_out_of_range_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        measure_one(ExactScan(), codes(2), codes(9), k=0, batch=0)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("query", "database"), [(codes(0), codes(9)), (codes(2), codes(0)), (codes(2, 8), codes(9))]
)
def test_codes_that_cannot_be_searched_are_refused(query, database):
    with pytest.raises(DataError):
        measure_one(ExactScan(), query, database, k=1, **QUICK)


def test_an_engine_that_is_not_installed_is_not_measured(monkeypatch):
    monkeypatch.setattr(Recorder, "available", classmethod(lambda cls: "pip install recorder"))
    engine = Recorder()
    with pytest.raises(ConfigError, match="pip install recorder"):
        measure_one(engine, codes(2), codes(9), k=1)
    assert engine.events == []
