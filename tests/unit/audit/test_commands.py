"""The commands of the audit: what they print and what they end with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hashbench.audit.remeasure import evaluate_more
from hashbench.cli import main
from hashbench.core.record import FitRecord
from hashbench.judge.reproduce import reproduce as module
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

MAP = "map@all/div=hits/ties=expected/empty=zero"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words: object, code: int) -> str:
    """The one line of a refusal."""
    result = call(*words)
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return str(line)


def test_verify_prints_a_table_and_says_what_it_cannot_check(store: Store) -> None:
    result = call("verify", store.root)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "metric values                6         0" in result.stdout
    assert "cannot be computed again: their samples are not stored" in result.stdout
    assert result.stdout.endswith(f"{store.root}: nothing wrong\n")


def test_verify_goes_through_several_stores_though_the_first_is_wrong(
    store: Store, fit: FitRecord, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.zip"
    assert call("export", store.root, "-o", bundle).exit_code == 0
    (store.root / fit.fit_id / fit.artifacts["codes"].file).unlink()
    result = call("verify", store.root, bundle)
    assert result.exit_code == 7
    assert f"{store.root}: 1 problem" in result.stdout
    assert result.stdout.endswith(f"{bundle}: nothing wrong\n")


def test_verify_prints_a_line_for_each_problem_and_ends_with_7(
    store: Store, fit: FitRecord
) -> None:
    (evaluation,) = (store.root / fit.fit_id).glob("evaluation-*.json")
    evaluation.write_text(evaluation.read_text().replace('"queries": 20', '"queries": 21', 1))
    codes = store.root / fit.fit_id / fit.artifacts["codes"].file
    codes.unlink()
    result = call("verify", store.root)
    assert result.exit_code == 7
    first, second = result.stderr.splitlines()
    assert first.startswith(f"problem: {codes}: is missing")
    assert second.startswith(f"problem: {evaluation}: was changed after it was written")
    assert result.stdout.endswith(f"{store.root}: 2 problems\n")


def test_what_is_exported_verifies_by_itself_and_imports(store: Store, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    made = call("export", store.root, "-o", bundle, "--select", "seed=1")
    assert made.stdout.startswith(f"wrote {bundle}: 1 cell, 2 records, ")
    assert call("verify", bundle).stdout.endswith(f"{bundle}: nothing wrong\n")
    added = call("import", bundle, "--store", tmp_path / "other")
    assert added.stdout.startswith(f"{tmp_path / 'other'}: 5 files added, 0 there already")
    assert call("verify", tmp_path / "other").exit_code == 0
    bundle.write_bytes(bundle.read_bytes()[:-100])
    assert "is no complete zip file" in refused("verify", bundle, code=7)
    assert "is no complete zip file" in refused("import", bundle, code=7)


def test_leaving_out_what_there_is_not_is_refused(store: Store, tmp_path: Path) -> None:
    words = ("export", store.root, "-o", tmp_path / "b.zip", "--without")
    assert "Did you mean 'codes'?" in refused(*words, "code", code=2)
    assert not (tmp_path / "b.zip").exists()
    assert "1 artifact left out" in call(*words, "codes", "--select", "seed=1").stdout


def test_what_is_noted_of_many_files_is_one_line(store: Store) -> None:
    files = sorted(path.relative_to(store.root) for path in store.root.glob("*/codes-*"))
    lines = [f"{file.parent.name}/{file.name}" for file in files]
    (store.root / "left-out.txt").write_text("\n".join(lines))
    for file in files:
        (store.root / file).unlink()
    result = call("verify", store.root)
    assert (result.exit_code, result.stderr) == (0, "")
    (note,) = (line for line in result.stdout.splitlines() if line.startswith("note: "))
    assert note.startswith(f"note: {store.root}, {lines[0]} and 1 other file: left out (left-out")


def test_exporting_nothing_ends_with_6(store: Store, tmp_path: Path) -> None:
    words = ("export", store.root, "-o", tmp_path / "b.zip", "--select", "seed=9")
    assert "no record of" in refused(*words, code=6)
    assert not (tmp_path / "b.zip").exists()


def test_evaluate_adds_what_is_missing_once(store: Store) -> None:
    first = call("evaluate", store.root, "--metric", "recall@r1", "--metric", "map")
    assert first.exit_code == 0
    assert first.stdout.count(": recall@r1/empty=") == 2
    assert "map" not in first.stdout.partition(f"{store.root}: ")[0]
    assert first.stdout.endswith("2 new records, 0 cells had them already\n")
    second = call("evaluate", store.root, "--metric", "recall@r1")
    assert second.stdout == f"{store.root}: 0 new records, 2 cells had them already\n"


def test_evaluate_tells_definitions_of_one_metric_apart(store: Store) -> None:
    words = [word for ties in ("best", "worst") for word in ("--metric", f"map@all/ties={ties}")]
    *lines, _ = call("evaluate", store.root, *words).stdout.splitlines()
    cells = [line.split(": ")[0] for line in lines]
    told = [line.split(": ")[1].split(" ")[0] for line in lines]
    assert (len(lines), len(set(lines)), len(set(cells))) == (4, 4, 2)
    assert told == [f"map@all/div=hits/ties={ties}/empty=zero" for ties in ("best", "worst")] * 2


def test_evaluate_refuses_what_is_no_metric_and_what_is_not_there(store: Store) -> None:
    assert "Did you mean 'map'?" in refused("evaluate", store.root, "--metric", "mapp", code=2)
    words = ("evaluate", store.root, "--metric", "map", "--select", "loss=dsh")
    assert "has no codes of the cells selected" in refused(*words, code=6)


def test_explain_diff_prints_one_table(store: Store) -> None:
    one, other = store.fit_ids()
    result = call("explain-diff", one, other, "--store", store.root)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[2].split()[:4] == ["group", "field", "A", "B"]
    assert lines[4].split()[:2] == ["settings", "cell.seed"]
    same = call("explain-diff", one, one, "--store", store.root)
    assert same.stdout.endswith("both are the same record\n")


@pytest.fixture
def second_run(
    another_fit: Callable[..., FitRecord], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], None]:
    """Return what decides the codes of a second run, in the worker's place."""

    def decide(draw: int) -> None:
        def run_again(fit: FitRecord, store: Store, *, metrics: list[str], **_: Any) -> CellResults:
            evaluate_more(store, another_fit(store, seed=fit.cell.seed, draw=draw), metrics)
            return read_cell(store, fit.fit_id)

        monkeypatch.setattr(module, "run_again", run_again)

    return decide


def test_reproduce_ends_with_0_or_5_and_says_why(
    store: Store, fit: FitRecord, second_run: Callable[[int], None]
) -> None:
    second_run(0)
    well = call("reproduce", fit.record_id, "--store", store.root)
    assert well.exit_code == 0
    assert "level: bit-equal\ncodes: equal" in well.stdout
    assert "not run again: 1 latency record (times depend on the machine)" in well.stdout
    second_run(8)
    badly = call("reproduce", fit.record_id, "--store", store.root)
    assert badly.exit_code == 5
    assert "codes: different" in badly.stdout
    assert "verdict: outside  (kept as " in badly.stdout
    assert len(list((store.root / fit.fit_id).glob("reproduction-*.json"))) == 2


def test_reproduce_runs_every_record_that_a_report_names(
    store: Store, tmp_path: Path, second_run: Callable[[int], None]
) -> None:
    report = tmp_path / "report.md"
    assert call("report", "--store", store.root, "--trace", "--output", report).exit_code == 0
    second_run(0)
    result = call("reproduce", report, "--store", store.root)
    assert result.exit_code == 5  # seed 1 has the codes of another draw
    assert result.stdout.count("verdict: bit-equal") == 1
    assert result.stdout.count("verdict: outside") == 1
    report.write_text("no ids here")
    told = refused("reproduce", report, "--store", store.root, code=2)
    assert "names no record of" in told


def test_a_record_outside_a_store_is_run_from_itself_alone(
    store: Store, fit: FitRecord, tmp_path: Path, second_run: Callable[[int], None]
) -> None:
    alone = tmp_path / "mailed.json"
    alone.write_bytes((store.root / fit.fit_id / f"fit-{fit.record_id}.json").read_bytes())
    second_run(0)
    result = call("reproduce", alone)
    assert result.exit_code == 0
    assert result.stdout.endswith(
        "verdict: bit-equal  (not kept: the record lies outside a store)\n"
    )


def test_reproduce_refuses_a_fit_of_a_component_that_is_not_here(
    store: Store, fit: FitRecord, forged: Callable[..., Path], only: Callable[..., Path]
) -> None:
    path = forged(only(store, "fit-*.json"), lambda d: d["cell"]["method"].update(name="mine"))
    assert "Name its --plugin." in refused("reproduce", path, code=2)
