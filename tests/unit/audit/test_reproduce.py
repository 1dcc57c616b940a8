"""Verdicts on a second run: what is promised, what came of it, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from hashbench.audit.remeasure import evaluate_more
from hashbench.audit.verify import verify_store
from hashbench.core.arithmetic import Arithmetic, Processor
from hashbench.core.cell import Determinism, Weights
from hashbench.core.environment import Device
from hashbench.core.errors import ConfigError
from hashbench.core.record import (
    Cause,
    FitRecord,
    Level,
    RepeatedMetric,
    ReproductionRecord,
    Status,
    Verdict,
)
from hashbench.judge.bit_equality import reasons_for_unequal_codes
from hashbench.judge.reproduce import reproduce as module
from hashbench.judge.reproduce.reproduce import reproduce
from hashbench.judge.reproduce.reproduction_record import metric_verdict, overall_verdict
from hashbench.judge.reproduce.rerun import RunOptions, check_options, job_of
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.lookup import find_record
from hashbench.store.store import Store

MAP = "map@all/div=hits/ties=expected/empty=zero"
Forge = Callable[[Path, Callable[[dict[str, Any]], object]], Path]


OTHER = Processor(vendor="Abacus", family=1, model=9, stepping=3, flags_sha256="f" * 64)
UNPINNED = {"arithmetic": Arithmetic(level=None)}


def reasons(fit: FitRecord, **changes: Any) -> list[str]:
    """Why codes need not be equal, if the second run's environment had other values."""
    again = fit.environment.model_copy(update=changes)
    return reasons_for_unequal_codes(fit, fit.model_copy(update={"environment": again}))


def test_codes_must_be_equal_for_equal_device_processor_threads_versions_and_code(
    fit: FitRecord,
) -> None:
    assert reasons(fit) == []
    assert reasons(fit, load_average=9.0, commit="e" * 40, platform="another kernel") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": 2}, "threads: 1, now 2"),
        ({"device": Device(kind="cuda", name="H200")}, "device class: cpu, now cuda"),
        ({"device": Device(kind="cpu", name="slide rule")}, "device: abacus, now slide rule"),
        (UNPINNED, "instruction sets: level x86-64-v3, now None"),
        ({"processor": OTHER}, "processor: model 2, now 9"),
        ({"processor": None}, "the processor is not recorded exactly"),
        ({"python": "3.12.1"}, "python: 3.11.7, now 3.12.1"),
        ({"libraries": {"torch": "2.12.0", "numpy": "2.0.0"}}, "torch: 2.11.0, now 2.12.0"),
        ({"libraries": {"torch": "2.11.0"}}, "numpy: 2.0.0, now none"),
    ],
)
def test_every_reason_for_unequal_codes_is_named(
    fit: FitRecord, changes: dict[str, Any], reason: str
) -> None:
    assert reasons(fit, **changes) == [reason]


def test_codes_of_fast_cells_and_changed_code_need_not_be_equal(fit: FitRecord) -> None:
    from dataclasses import replace

    cell = replace(fit.cell, determinism=Determinism.FAST)
    first, again = (
        fit.model_copy(update={"cell": cell, "sources": {"losses/dsh": "1", "training": digest}})
        for digest in ("2", "3")
    )
    fast = "the cell's determinism is fast, not strict"
    assert reasons_for_unequal_codes(first, again) == [fast, "source code of training changed"]
    assert reasons_for_unequal_codes(first, again, compare_sources=False) == [fast]


@pytest.mark.parametrize(
    ("again", "interval", "verdict"),
    [
        (0.5, (None, None), Verdict.BIT_EQUAL),
        (0.505, (0.004, 0.006), Verdict.WITHIN),  # near enough, however certain the difference
        (0.55, (-0.01, 0.11), Verdict.WITHIN),  # the queries' scatter explains it
        (0.55, (0.04, 0.06), Verdict.OUTSIDE),
        (0.45, (-0.06, -0.04), Verdict.OUTSIDE),
        (0.55, (None, None), Verdict.OUTSIDE),  # nothing says that it is scatter
    ],
)
def test_a_value_is_within_if_the_tolerance_or_the_interval_allows_it(
    again: float, interval: tuple[float | None, float | None], verdict: Verdict
) -> None:
    low, high = interval
    assert metric_verdict(0.5, again, low=low, high=high, tolerance=0.01) is verdict


def repeated(verdict: Verdict) -> RepeatedMetric:
    return RepeatedMetric(record="0" * 16, first=0.5, again=0.5, verdict=verdict)


@pytest.mark.parametrize(
    ("level", "codes_equal", "metrics", "verdict"),
    [
        (Level.BIT_EQUAL, True, [Verdict.BIT_EQUAL], Verdict.BIT_EQUAL),
        (Level.BIT_EQUAL, True, [], Verdict.BIT_EQUAL),
        (Level.BIT_EQUAL, False, [Verdict.WITHIN], Verdict.OUTSIDE),  # it was promised
        (Level.STATISTICAL, True, [Verdict.BIT_EQUAL], Verdict.BIT_EQUAL),
        (Level.STATISTICAL, False, [Verdict.BIT_EQUAL, Verdict.WITHIN], Verdict.WITHIN),
        (Level.STATISTICAL, False, [Verdict.WITHIN, Verdict.OUTSIDE], Verdict.OUTSIDE),
        (Level.STATISTICAL, False, [], Verdict.OUTSIDE),  # nothing shows that they are as good
    ],
)
def test_the_worst_metric_decides_and_a_promise_is_kept_to_the_bit(
    level: Level, codes_equal: bool, metrics: list[Verdict], verdict: Verdict
) -> None:
    found = overall_verdict(level, codes_equal=codes_equal, metrics=map(repeated, metrics))
    assert found is verdict


@pytest.fixture
def second_run(
    another_fit: Callable[..., FitRecord], forged: Forge, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return what decides the codes, threads and end of a second run, in the worker's place."""

    def decide(
        *,
        draw: int,
        threads: int = 1,
        fails: bool = False,
        environment: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        def run_again(fit: FitRecord, store: Store, *, metrics: list[str], **_: Any) -> CellResults:
            made = another_fit(store, seed=fit.cell.seed, draw=draw)
            (path,) = (store.root / made.fit_id).glob("fit-*.json")
            if fails:
                error = Cause(type="killed", message="the worker was ended by SIGKILL")
                forged(path, lambda d: d.update(status="killed", error=error.model_dump()))
                return read_cell(store, made.fit_id)
            forged(path, lambda d: d["environment"].update(threads=threads, **environment))
            results = read_cell(store, made.fit_id)
            assert results.fit is not None
            evaluate_more(store, results.fit, metrics)
            return read_cell(store, made.fit_id)

        monkeypatch.setattr(module, "run_again", run_again)

    return decide


def done(store: Store, fit: FitRecord, tmp_path: Path, **settings: Any) -> ReproductionRecord:
    found = find_record(fit.fit_id, store.root)
    again_in = Store.create(tmp_path / "again")
    return store.write_record(reproduce(found, again_in, options=RunOptions(), **settings))


def test_equal_codes_under_equal_conditions_are_bit_equal_and_kept_beside_the_record(
    store: Store, fit: FitRecord, tmp_path: Path, second_run: Callable[..., None]
) -> None:
    second_run(draw=0)
    made = done(store, fit, tmp_path)
    assert (made.level, made.reasons, made.verdict) == (Level.BIT_EQUAL, [], Verdict.BIT_EQUAL)
    assert (made.codes_equal, made.bits_differing) == (True, 0.0)
    assert made.fit_record == fit.record_id
    assert {metric.verdict for metric in made.metrics.values()} == {Verdict.BIT_EQUAL}
    assert (store.root / fit.fit_id / f"reproduction-{made.record_id}.json").is_file()
    assert verify_store(store.root).problems == []


def test_other_codes_where_equal_ones_were_promised_are_outside(
    store: Store, fit: FitRecord, tmp_path: Path, second_run: Callable[..., None]
) -> None:
    second_run(draw=5)
    made = done(store, fit, tmp_path, tolerance=1.0)
    assert (made.level, made.verdict) == (Level.BIT_EQUAL, Verdict.OUTSIDE)
    assert not made.codes_equal


def test_on_a_processor_not_known_to_be_alike_codes_need_not_be_equal(
    store: Store,
    fit: FitRecord,
    tmp_path: Path,
    second_run: Callable[..., None],
) -> None:
    second_run(draw=5, environment={"processor": None, "arithmetic": None})
    made = done(store, fit, tmp_path, tolerance=1.0)
    assert (made.level, made.verdict) == (Level.STATISTICAL, Verdict.WITHIN)
    assert made.reasons == ["the processor is not recorded exactly"]


def test_other_codes_on_two_threads_are_judged_by_the_interval_over_queries(
    store: Store, fit: FitRecord, tmp_path: Path, second_run: Callable[..., None]
) -> None:
    second_run(draw=5, threads=2)
    made = done(store, fit, tmp_path, tolerance=0.0)
    assert (made.level, made.reasons) == (Level.STATISTICAL, ["threads: 1, now 2"])
    metric = made.metrics[MAP]
    again = Store.open(tmp_path / "again")
    old, new = ((read_cell(each, fit.fit_id), each) for each in (store, again))
    values = [
        where.read_arrays(fit.fit_id, results.evaluations[0].artifacts["per_query"])[MAP]
        for results, where in (old, new)
    ]
    difference = values[1] - values[0]
    assert metric.again - metric.first == pytest.approx(difference.mean())
    assert metric.low is not None and metric.high is not None
    # 20 queries: the bootstrap's interval is near Student's.
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    assert metric.high - metric.low == pytest.approx(2 * 2.09 * error, rel=0.2)
    assert (metric.verdict is Verdict.WITHIN) == (metric.low <= 0 <= metric.high)
    assert made.bits_differing == pytest.approx(0.5, abs=0.05)  # codes drawn anew
    assert verify_store(store.root).problems == []


def test_a_second_run_that_fails_is_kept_with_its_cause_and_no_verdict(
    store: Store, fit: FitRecord, tmp_path: Path, second_run: Callable[..., None]
) -> None:
    second_run(draw=0, fails=True)
    made = done(store, fit, tmp_path)
    assert (made.status, made.verdict) == (Status.KILLED, None)
    assert made.error is not None
    assert made.error.message == "the worker was ended by SIGKILL"
    results = read_cell(store, fit.fit_id)
    assert results.fit == fit
    assert results.failures == ()  # the cell itself did not fail


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda d: d.update(verdict="outside"), "bit-equal follows from its numbers"),
        (lambda d: d.update(codes_first="0" * 64), "its first codes have SHA-256 000"),
        (lambda d: d.update(codes_equal=False), "says that they differ"),
        (lambda d: d["metrics"][MAP].update(first=0.5), "does not say 0.5"),
        (lambda d: d["metrics"][MAP].update(again=0.9), "outside follows from its numbers"),
    ],
)
def test_verify_finds_a_verdict_that_does_not_follow(
    store: Store,
    fit: FitRecord,
    tmp_path: Path,
    *,
    second_run: Callable[..., None],
    forged: Forge,
    edit: Callable[[dict[str, Any]], None],
    told: str,
) -> None:
    second_run(draw=0)
    made = done(store, fit, tmp_path)
    forged(store.root / fit.fit_id / f"reproduction-{made.record_id}.json", edit)
    problems = verify_store(store.root).problems
    assert any(told in problem.what for problem in problems)


def test_the_job_of_a_second_run_is_read_off_the_record(store: Store, fit: FitRecord) -> None:
    history = [{"epoch": e, "total": 1.0} for e in range(1, 7)]
    history[2][f"validation/{MAP}"] = history[5][f"validation/{MAP}"] = 0.5
    environment = fit.environment.model_copy(update={"threads": 3})
    made = fit.model_copy(update={"history": history, "environment": environment})
    job = job_of(made, store, metrics=[MAP], options=RunOptions(device="cpu"))
    assert (job.cell, job.fit, job.metrics, job.threads) == (fit.cell, True, (MAP,), 3)
    assert (job.validate_every, job.validation_metrics) == (3, (MAP,))


def test_a_fit_from_a_weights_file_asks_for_that_file(fit: FitRecord, tmp_path: Path) -> None:
    from dataclasses import replace

    cell = replace(fit.cell, weights=Weights("file", "b" * 64))
    made = fit.model_copy(update={"cell": cell})
    with pytest.raises(ConfigError, match="name it with --weights FILE"):
        check_options(made, RunOptions())
    (tmp_path / "other.safetensors").write_bytes(b"other")
    with pytest.raises(ConfigError, match="not the file of SHA-256 bbb"):
        check_options(made, RunOptions(weights=tmp_path / "other.safetensors"))


def test_a_fit_of_another_protocol_is_refused_before_anything_runs(fit: FitRecord) -> None:
    from dataclasses import replace

    cell = replace(fit.cell, data=replace(fit.cell.data, protocol_sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"digits@1 of SHA-256 000000000000…, this install"):
        check_options(fit.model_copy(update={"cell": cell}), RunOptions())
