"""What a run says of its cells."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hashbench.cli.progress import RunProgress
from hashbench.core.job import Job
from hashbench.core.record import Cause, EvaluationRecord, FitRecord, LatencyRecord, Status
from hashbench.run.plan import Planned, State
from hashbench.store.catalogue import CellResults


@pytest.fixture
def told():
    """Run two cells' events through the plain display; the lines that it printed."""

    def tell(first: CellResults, second: CellResults) -> list[str]:
        output = io.StringIO()
        progress = RunProgress(Console(file=output, width=20), None)
        for position, results in enumerate((first, second), start=1):
            assert results.fit
            cell = results.fit.cell
            job = Job(cell, Path(), fit=True)
            item = Planned(cell, State.MISSING, CellResults(cell.fit_id), job)
            progress.started(item, position, 2)
            progress.heard({"event": "phase", "phase": "load"})
            progress.finished(item, results, 1.25)
        return output.getvalue().splitlines()

    return tell


def test_each_cell_is_one_line_with_its_first_metric_and_the_time_left(
    told, fit_record: FitRecord, evaluation_record: EvaluationRecord
) -> None:
    good = CellResults(fit_record.fit_id, fit_record, evaluations=(evaluation_record,))
    first, second = told(good, good)
    cell = "toy@1[100/20/500#3] | trunk (small) + pairwise (paper) | 16 bits | seed 2"
    assert first.startswith(f"[1/2] {cell}: ok")
    assert "ok  map@all 0.6667  1.2 s  (about " in first
    assert second.endswith("ok  map@all 0.6667  1.2 s")


def test_a_failure_is_told_with_its_status_and_the_first_line_of_its_cause(
    told, fit_record: FitRecord, latency_record: LatencyRecord
) -> None:
    cause = Cause(type="RuntimeError", message="out of luck\nin detail")
    broken = fit_record.model_copy(update={"status": Status.OOM, "error": cause})
    fit_failed = CellResults(fit_record.fit_id, broken)
    unmeasured = CellResults(fit_record.fit_id, fit_record, failures=(latency_record,))
    first, second = told(fit_failed, unmeasured)
    assert ": oom: out of luck  1.2 s" in first
    assert ": latency failed: no more  1.2 s" in second
