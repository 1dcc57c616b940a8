"""``hashbench compare``, ``gate`` and ``claims`` on committed records."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from in_process import hashbench

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(root: Path, tmp_path: Path) -> Call:
    """Call the command in an empty folder beside a link to the results."""
    (tmp_path / "results").symlink_to(root / "results")
    (tmp_path / "claims").symlink_to(root / "claims")

    return partial(hashbench, folder=tmp_path)


def test_two_methods_of_a_store(call: Call) -> None:
    done = call("compare", "hsc", "dsh", "--store", "results/digits", "--trace")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| #1 | mlp + hsc | 0.9700 | 3       | a         |" in done.stdout
    assert "n = 3 x 200" in done.stdout


def test_a_store_against_another(call: Call) -> None:
    done = call("compare", "results/digits", "results/digits-variants", "--where", "loss=dfh,dhn")
    assert done.returncode == 0
    assert "## results/digits minus results/digits-variants" in done.stdout
    assert "mlp + dfh on digits@1, 32 bits" in done.stdout
    assert "lsh" not in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("hcs", "dsh", "--store", "results/digits"), 2, "Did you mean 'hsc'?"),
        (("hsc", "itq", "--store", "results/none"), 2, "store results/none: no such store"),
        (("results/digits", "results/mixtures"), 2, "different protocols"),
        (("results/digits", "hsc"), 2, "name two stores, or methods of one"),
        (("results/digits", "results/ci", "--store", "x"), 2, "--store names one too"),
        (("--store", "results/digits", "--where", "loss=none"), 6, "no value of map@all"),
        (("--store", "results/digits", "--where", "loss=hsc"), 6, "no two methods"),
        (("hsc", "csq", "--store", "results/digits", "--metric", "mop"), 2, "Did you mean 'map'"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_one_line(
    call: Call, words: tuple[str, ...], code: int, said: str
) -> None:
    done = call("compare", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_gate_passes_fails_and_is_updated(call: Call, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "results" / "ci", tmp_path / "now")
    passed = call("gate", "results/ci", "--store", "now")
    assert (passed.returncode, passed.stdout.splitlines()[-1]) == (0, "gate: passed")
    gone = next(path for path in sorted((tmp_path / "now").iterdir()) if path.is_dir())
    shutil.rmtree(gone)
    failed = call("gate", "results/ci", "--store", "now")
    assert failed.returncode == 4
    assert failed.stdout.splitlines()[-1].startswith("gate: FAILED by 1 of ")
    first = call("gate", "mine", "--store", "now", "--update")
    assert first.returncode == 0
    assert "there is no baseline at mine yet" in first.stdout
    assert "mine is now 7 cells of now; commit it" in first.stdout
    assert call("gate", "mine", "--store", "now").returncode == 0
    assert call("gate", "none", "--store", "now").returncode == 2


def test_the_committed_claims_on_committed_records(call: Call) -> None:
    done = call("claims", "claims", "--store", "results/digits-unsupervised")
    assert (done.returncode, done.stderr) == (0, "")
    assert "## itq-above-lsh-pcah-sh: supported" in done.stdout
    assert "## longer-codes-do-not-hurt: undecided (no records)" in done.stdout
    assert "497714bf55cb7796" in done.stdout  # the record of ITQ under seed 0


def test_the_summary_has_the_verdicts_of_the_long_form(call: Call) -> None:
    words = ("claims", "claims", "--store", "results/digits-unsupervised")
    headings = [line[3:] for line in call(*words).stdout.splitlines() if line.startswith("## ")]
    summary = call(*words, "--summary").stdout.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary[2:-2]]
    assert [f"{name}: {verdict}" for name, _, verdict, _ in rows] == headings
    compared = {name: int(count) for name, _, _, count in rows}
    assert compared["itq-above-lsh-pcah-sh"] == 3  # one each with LSH, PCAH and SH
    assert summary[-1].startswith("Claims: ")


def test_a_mistake_in_a_file_of_claims_is_told_with_its_place(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nclaims: []\nmore: 1\n")
    done = call("claims", "bad.yaml", "--store", "results/digits")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: bad.yaml:2:1: claims: " in done.stderr
    assert "error: bad.yaml:3:1: more: unknown key." in done.stderr
