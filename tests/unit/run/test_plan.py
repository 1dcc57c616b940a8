"""What is missing of a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hashbench.core.arithmetic import Arithmetic
from hashbench.core.cell import Cell
from hashbench.core.environment import Environment
from hashbench.core.job import LatencySetting, Request
from hashbench.core.pinning import can_pin
from hashbench.core.record import (
    Artifact,
    EvaluationRecord,
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    MetricEntry,
    Status,
)
from hashbench.core.registry import Registry
from hashbench.run.plan import Planned, State, plan_cells
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"
SETTING = LatencySetting("exact", 10, 1, 1)
PLAIN = Artifact(file="codes-0.safetensors", sha256="e" * 64, bytes=10)


@pytest.fixture
def plan(cell: Cell, store: Store, components: Registry) -> Callable[..., Planned]:
    """Return what plans the cell for a request of one metric, with some settings changed."""

    def make(**wanted: Any) -> Planned:
        settings: dict[str, Any] = {
            "metrics": (METRIC,),
            "float_metrics": (METRIC,),
            "latency": (),
            "validate_every": 0,
            "device": "cpu",
            "threads": 1,
            "timeout": None,
            "data_root": None,
            "weights": {},
            "plugins": (),
            **wanted,
        }
        request = Request(**settings)
        (planned,) = plan_cells([cell], request, store=store, registry=components)
        return planned

    return make


@pytest.fixture
def fitted(
    cell: Cell,
    store: Store,
    fit_record: FitRecord,
    evaluation_record: EvaluationRecord,
    environment: Environment,
) -> Callable[..., FitRecord]:
    """Return what puts a fit and its evaluation into the store."""

    def put(made_in: Environment = environment, **artifacts: Artifact) -> FitRecord:
        own = {
            "environment": made_in,
            "cell": cell,
            "fit_id": cell.fit_id,
            "sources": {},
            "artifacts": artifacts,
        }
        fit = store.write_record(fit_record.model_copy(update=own))
        entry = MetricEntry(value=0.5, queries=1, without_relevant=0)
        of_it = {"fit_id": cell.fit_id, "fit_record": fit.record_id, "metrics": {METRIC: entry}}
        store.write_record(evaluation_record.model_copy(update=of_it))
        return fit

    return put


def test_a_measured_cell_is_done(
    plan: Callable[..., Planned], fitted: Callable[..., FitRecord]
) -> None:
    assert plan().state is State.MISSING
    fitted(codes=PLAIN)
    assert (plan().state, plan().job.empty) == (State.DONE, True)


def test_a_fit_without_a_model_that_is_wanted_is_made_again_with_all_that_is_measured_of_it(
    plan: Callable[..., Planned], fitted: Callable[..., FitRecord]
) -> None:
    fitted(codes=PLAIN)
    wanted = plan(keep_model=True, latency=(SETTING,))
    assert wanted.state is State.MISSING
    assert (wanted.job.fit, wanted.job.keep_model) == (True, True)
    assert (wanted.job.metrics, wanted.job.latency) == ((METRIC,), (SETTING,))


@pytest.mark.skipif(not can_pin(), reason="this processor has no AVX2")
def test_a_strict_fit_from_before_arithmetic_was_pinned_is_made_again(
    plan: Callable[..., Planned], fitted: Callable[..., FitRecord], environment: Environment
) -> None:
    for old in (None, Arithmetic(level=None, torch="AVX512")):
        fitted(environment.model_copy(update={"arithmetic": old}), codes=PLAIN)
        assert (plan().state, plan().job.fit, plan().unpinned) == (State.MISSING, True, True)
    fitted(environment, codes=PLAIN)
    assert (plan().state, plan().unpinned) == (State.DONE, False)


def test_a_fit_that_has_its_model_is_done_whether_one_is_wanted_or_not(
    plan: Callable[..., Planned], fitted: Callable[..., FitRecord]
) -> None:
    fitted(codes=PLAIN, model=PLAIN)
    assert plan(keep_model=True).state is plan().state is State.DONE


def test_a_latency_on_resampled_codes_or_with_encoding_is_none_on_the_cells_own(
    plan: Callable[..., Planned],
    fitted: Callable[..., FitRecord],
    latency_record: LatencyRecord,
    store: Store,
) -> None:
    fit = fitted(codes=PLAIN)
    (entry,) = latency_record.entries

    def measure(entry: LatencyEntry) -> None:
        of_it = {
            "fit_id": fit.fit_id,
            "fit_record": fit.record_id,
            "status": Status.OK,
            "error": None,
        }
        store.write_record(latency_record.model_copy(update={**of_it, "entries": [entry]}))

    measure(entry.model_copy(update={"resampled_from": 500, "database": 10**6}))
    assert plan(latency=(SETTING,)).job.latency == (SETTING,)
    measure(entry.model_copy(update={"includes_encoding": True}))
    assert plan(latency=(SETTING,)).job.latency == (SETTING,)
    measure(entry)
    assert plan(latency=(SETTING,)).state is State.DONE
