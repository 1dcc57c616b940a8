"""What the gate lets through, what it stops, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.cell import Cell, Determinism
from hashbench.core.environment import Environment
from hashbench.core.errors import ConfigError, StoreError
from hashbench.core.record import Cause, FitRecord, LatencyRecord, Status
from hashbench.judge.bit_equality import host_difference, reasons_for_unequal_codes
from hashbench.judge.gate.baseline import replace_baseline
from hashbench.judge.gate.check import Findings, Limits, check, findings_text
from hashbench.store.catalogue import read_all, read_cell
from hashbench.store.store import Store

METRIC = "map@all/div=hits/ties=expected/empty=zero"


@pytest.fixture
def make(
    tmp_path: Path, cell: Cell, write_cell: Callable[..., Any], latency_record: LatencyRecord
) -> Callable[..., Store]:
    """Make a store of one cell: its mAP, seconds of training, milliseconds of a query."""

    def store(
        name: str, *, value: float = 0.5, seconds: float = 10.0, ms: float = 1.0, **changes: Any
    ) -> Store:
        made = Store.create(tmp_path / name)
        own = changes.pop("cell", cell)
        fit, _ = write_cell(made, own, {METRIC: [value]}, phases={"train": seconds}, **changes)
        entry = latency_record.entries[0].model_copy(update={"p50_ms": ms})
        good = {"status": Status.OK, "error": None, "entries": [entry], "fit_id": fit.fit_id}
        made.write_record(latency_record.model_copy(update={**good, "fit_record": fit.record_id}))
        return made

    return store


def findings(baseline: Store, now: Store, **limits: float) -> Findings:
    return check(read_all(baseline), read_all(now), limits=Limits(**limits))


def verdicts(found: Findings) -> dict[str, str]:
    return {row.quantity.partition(" ms a query")[0]: row.verdict for row in found.rows}


def elsewhere(environment: Environment, **changes: Any) -> Environment:
    return environment.model_copy(update=changes)


def test_the_same_again_passes_and_prints_no_table(make: Callable[..., Store]) -> None:
    found = findings(make("was"), make("now"))
    assert not found.failed
    assert verdicts(found) == {
        METRIC: "equal",
        "training s": "as fast",
        "encoding s": "as fast",
        "exact": "as fast",
    }
    assert findings_text(found) == "cells: 1; values: 1 equal, 3 as fast\ngate: passed"


@pytest.mark.parametrize("value", [0.5 - 1e-9, 0.5 + 1e-9])
def test_on_the_same_platform_quality_must_be_equal(
    make: Callable[..., Store], value: float
) -> None:
    found = findings(make("was"), make("now", value=value))
    assert (found.failed, verdicts(found)[METRIC]) == (True, "moved")


@pytest.mark.parametrize(
    ("value", "verdict", "failed"),
    [(0.48, "within tolerance", False), (0.46, "worse", True), (0.6, "better", False)],
)
def test_on_another_platform_quality_may_fall_by_the_tolerance(
    make: Callable[..., Store], environment: Environment, value: float, verdict: str, failed: bool
) -> None:
    other = elsewhere(environment, libraries={"torch": "2.12.0"})
    found = findings(make("was"), make("now", value=value, environment=other))
    assert (verdicts(found)[METRIC], found.failed) == (verdict, failed)
    assert found.notes == (
        "quality may fall by 0.03, codes need not be equal (torch: 2.11.0, now 2.12.0)",
    )


def test_cells_that_are_not_strict_are_held_to_the_tolerance(
    make: Callable[..., Store], cell: Cell
) -> None:
    fast = replace(cell, determinism=Determinism.FAST)
    found = findings(make("was", cell=fast), make("now", cell=fast, value=0.49))
    assert not found.failed
    assert "the cell's determinism is fast, not strict" in found.notes[0]


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (19.9, "as fast"),  # below the ratio of 2
        (20.1, "slower"),
        (4.9, "faster"),
    ],
)
def test_a_time_is_slower_by_ratio_and_floor_together(
    make: Callable[..., Store], seconds: float, verdict: str
) -> None:
    found = findings(make("was"), make("now", seconds=seconds))
    assert verdicts(found)["training s"] == verdict
    assert found.failed == (verdict == "slower")


def test_a_short_time_may_triple_below_the_floor(make: Callable[..., Store]) -> None:
    was, now = make("was", seconds=0.1, ms=0.1), make("now", seconds=0.3, ms=0.3)
    assert not findings(was, now).failed
    assert verdicts(findings(was, now, floor_seconds=0.1))["training s"] == "slower"
    assert verdicts(findings(was, now, floor_ms=0.1))["exact"] == "slower"


def test_on_another_host_speed_is_not_compared(
    make: Callable[..., Store], environment: Environment
) -> None:
    other = elsewhere(environment, cpu_count=64)
    found = findings(make("was"), make("now", seconds=1e6, ms=1e6, environment=other))
    assert not found.failed
    assert set(verdicts(found)) == {METRIC}
    assert found.notes == (
        "times are not compared, the hosts are not known to be alike (cores 2, now 64)",
    )


def test_a_missing_cell_fails(make: Callable[..., Store], cell: Cell) -> None:
    found = findings(make("was"), make("now", cell=replace(cell, seed=9)))
    assert found.failed
    assert found.rows[0].verdict.startswith("missing")
    assert found.notes[0].startswith("cells not in the baseline: 1;")


def test_a_failed_cell_fails_with_its_cause(
    make: Callable[..., Store], fit_record: FitRecord, tmp_path: Path
) -> None:
    now = Store.create(tmp_path / "now")
    cause = Cause(type="MemoryError", message="no room\nmore")
    now.write_record(fit_record.model_copy(update={"status": Status.OOM, "error": cause}))
    found = findings(make("was"), now)
    assert [(row.verdict, row.failed) for row in found.rows] == [("oom: no room", True)]


def test_a_missing_metric_fails(
    make: Callable[..., Store], cell: Cell, write_cell: Callable[..., Any], tmp_path: Path
) -> None:
    now = Store.create(tmp_path / "now")
    write_cell(now, cell, {"ndcg@10/ties=expected/empty=zero": [0.5]})
    found = findings(make("was"), now)
    assert verdicts(found)[METRIC] == "missing"
    assert found.failed


def test_the_table_names_metric_baseline_now_change_and_verdict_worst_first(
    make: Callable[..., Store],
) -> None:
    text = findings_text(findings(make("was"), make("now", value=0.25, seconds=1.0)))
    head, _, first, second, *_, last = text.splitlines()
    assert [word.strip() for word in head.strip("|").split("|")] == [
        *("cell", "metric", "baseline", "now", "change", "verdict")
    ]
    assert [word.strip() for word in first.strip("|").split("|")][1:] == [
        *(METRIC, "0.5", "0.25", "-0.25", "moved")
    ]
    assert [word.strip() for word in second.strip("|").split("|")][1:] == [
        *("training s", "10", "1", "-9 (x 0.10)", "faster")
    ]
    assert last == "gate: FAILED by 1 of 4 checks"


def test_a_baseline_with_a_failed_cell_or_none_is_refused(
    make: Callable[..., Store], fit_record: FitRecord, tmp_path: Path
) -> None:
    bad, now = Store.create(tmp_path / "bad"), make("now")
    with pytest.raises(StoreError, match="has no cells"):
        findings(bad, now)
    bad.write_record(fit_record.model_copy(update={"status": Status.FAILED}))
    with pytest.raises(StoreError, match="record the baseline again"):
        findings(bad, now)


def test_update_puts_all_of_the_store_in_the_place_of_the_baseline(
    make: Callable[..., Store], cell: Cell
) -> None:
    was, now = make("was", cell=replace(cell, seed=8)), make("now", value=0.7)
    (now.root / cell.fit_id / ".log").write_text("not a record")
    replace_baseline(was.root, now, read_all(now))
    assert was.fit_ids() == [cell.fit_id]
    assert read_cell(was, cell.fit_id) == read_cell(now, cell.fit_id)
    assert not (was.root / cell.fit_id / ".log").exists()
    assert sorted(path.name for path in was.root.parent.iterdir()) == ["now", "was"]


def test_a_store_with_a_failed_cell_becomes_no_baseline(
    make: Callable[..., Store], fit_record: FitRecord, cell: Cell, tmp_path: Path
) -> None:
    was, bad = make("was"), Store.create(tmp_path / "bad")
    bad.write_record(fit_record.model_copy(update={"status": Status.FAILED}))
    with pytest.raises(ConfigError, match="1 of its cells failed"):
        replace_baseline(was.root, bad, read_all(bad))
    with pytest.raises(ConfigError, match="cannot be updated from itself"):
        replace_baseline(was.root, was, read_all(was))
    assert read_cell(was, cell.fit_id).fitted


def test_a_kernel_update_is_another_host_but_gives_the_same_codes(
    fit_record: FitRecord, environment: Environment
) -> None:
    def reasons(**changes: Any) -> list[str]:
        other = fit_record.model_copy(update={"environment": elsewhere(environment, **changes)})
        return reasons_for_unequal_codes(fit_record, other)

    assert reasons(platform="Linux-7") == []
    other = elsewhere(environment, platform="Linux-7")
    assert host_difference(environment, other) == "system Linux, now Linux-7"
    assert reasons(python="3.11.9") == []
    assert reasons(python="3.12.0") == ["python: 3.11.7, now 3.12.0"]


@pytest.mark.parametrize(
    ("value", "verdict", "failed"),
    [
        (0.5, "equal", False),
        (0.498, "within tolerance", False),
        (0.46, "worse", True),
    ],
)
def test_on_a_processor_not_known_to_be_alike_quality_may_fall_and_times_are_not_compared(
    make: Callable[..., Store],
    environment: Environment,
    *,
    value: float,
    verdict: str,
    failed: bool,
) -> None:
    old = elsewhere(environment, processor=None, arithmetic=None)
    found = findings(make("was", environment=old), make("now", value=value, seconds=1e6, ms=1e6))
    assert (verdicts(found), found.failed) == ({METRIC: verdict}, failed)
    assert found.notes == (
        "quality may fall by 0.03, codes need not be equal (the processor is not recorded exactly)",
        "times are not compared, the hosts are not known to be alike "
        "(the processor is not recorded exactly)",
    )
