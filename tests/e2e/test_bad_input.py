"""Bad input: one line a mistake, its exit code, nothing written."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import in_process
import pytest

from hashbench.store.store import FORMAT, MARKER, Store

COMMAND = str(Path(sys.executable).with_name("hashbench"))
MATRIX = """\
version: 1
name: tiny
datasets: [digits]
methods: {pairs: [{method: lsh}]}
bits: [1024]
execute: {device: cpu, threads: 1}
"""
# More than a job, a log or a record takes, and less than the codes of all digits.
FILE_LIMIT = 100_000


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(MATRIX)
    return file


def hashbench(
    folder: Path, *words: str, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the command in a folder; as a process of its own if something is to be done before."""
    if before is None:
        return in_process.hashbench(*words, folder=folder, env={"HASHBENCH_DATA": ""})
    return subprocess.run(
        [COMMAND, *words],
        cwd=folder,
        env={**os.environ, "HASHBENCH_DATA": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        preexec_fn=before,
    )


def mistakes(result: subprocess.CompletedProcess[str], *, code: int = 2) -> list[str]:
    """The lines of standard error, each with its prefix taken off."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines), result.stderr
    return [line.removeprefix("error: ") for line in lines]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_mistake_of_a_matrix_is_one_line_with_its_place_and_nothing_is_run(
    tmp_path: Path,
) -> None:
    text = """\
        version: 1
        name: wrong
        datasets: [digits]
        methods:
          grid: {backbones: [resnet_mini], losses: [hcs]}
        bits: [0, -1, 1025, many, 16]
        seeds: zero
        sedes: [0]
        evaluate: {metrics: [mpa], cutoffs: [0, -5, ten, 5000]}
        execute: {threads: "4"}
        bits: [32]
        train: {weights: here}
    """
    lines = [line.removeprefix("        ") for line in text.splitlines()]
    (tmp_path / "wrong.yaml").write_text("\n".join(lines))
    result = hashbench(tmp_path, "run", "wrong.yaml", "--store", "store")
    # Without the standing of what is right: the start of each line says what is wrong, and where.
    wrong = [problem.removeprefix("wrong.yaml:") for problem in mistakes(result)]
    expected = [
        "11:1: bits: duplicate key, first given in line 6",
        "5:45: methods.grid.losses.0.name: unknown name 'hcs' in losses. Did you mean 'hsc'?",
        "6:8: bits.0: should be greater than or equal to 1, got 0",
        "6:11: bits.1: should be greater than or equal to 1, got -1",
        "6:15: bits.2: should be less than or equal to 1024, got 1025",
        "6:21: bits.3: should be a valid integer, got 'many'",
        "7:1: seeds: should be a valid integer, got 'zero'",
        "12:9: train.weights: unknown key",
        "9:22: evaluate.metrics.0: metric 'mpa': unknown metric 'mpa'. Did you mean 'map'?",
        "9:38: evaluate.cutoffs.0: K must be at least 1, got 0",
        "9:41: evaluate.cutoffs.1: K must be at least 1, got -5",
        "9:45: evaluate.cutoffs.2: K must be a whole number of at least 1 or 'all', got 'ten'",
        "10:11: execute.threads: should be 'auto' or a whole number above 0, got '4'",
        "8:1: sedes: unknown key. Did you mean 'seeds'?",
    ]
    assert len(wrong) == len(expected)
    assert [line for line, start in zip(wrong, expected, strict=True) if start not in line] == []
    assert names(tmp_path) == {"wrong.yaml"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"bits: [16", "not YAML: expected ',' or ']'"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8 text"),
        (b"", "is empty, a matrix is a mapping that starts with version: 1"),
        (None, "no such file"),
    ],
    ids=["no YAML", "an image", "empty", "missing"],
)
def test_a_file_that_is_no_matrix_is_one_line(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "matrix.yaml").write_bytes(content)
    (problem,) = mistakes(hashbench(tmp_path, "run", "matrix.yaml"))
    assert problem.startswith("matrix.yaml:")
    assert message in problem
    assert names(tmp_path) <= {"matrix.yaml"}


def test_a_cut_off_above_the_database_is_allowed(matrix: Path) -> None:
    matrix.write_text(f"{MATRIX}evaluate: {{cutoffs: [5000]}}\n")
    result = hashbench(matrix.parent, "check", matrix.name)
    assert (result.returncode, result.stderr) == (0, "")
    assert "metric: map@5000/div=hits/ties=expected/empty=zero\n" in result.stdout


def test_a_corrupt_image_archive_stops_a_run_before_anything_is_written(matrix: Path) -> None:
    folder = matrix.parent / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b half an archive")
    text = MATRIX.replace("[digits]", "[fashion_mnist]").replace(
        "{device", "{data_root: data, device"
    )
    matrix.write_text(text)
    (problem,) = mistakes(hashbench(matrix.parent, "run", matrix.name))
    assert "train-images-idx3-ubyte.gz" in problem
    assert names(matrix.parent) == {"tiny.yaml", "data"}


def test_a_store_that_is_something_else_stops_a_run_and_is_left_alone(matrix: Path) -> None:
    here = matrix.parent
    (here / "folder").mkdir()
    (here / "folder" / "thesis.tex").write_text("mine")
    (problem,) = mistakes(hashbench(here, "run", matrix.name, "--store", "folder"))
    assert "folder is neither empty nor a store" in problem
    (problem,) = mistakes(hashbench(here, "status", "--store", matrix.name))
    assert "tiny.yaml is a file, not a folder" in problem
    (problem,) = mistakes(hashbench(here, "report", "--store", "nowhere"))
    assert "store nowhere: no such store; run a matrix first" in problem
    assert names(here) == {"tiny.yaml", "folder"}
    assert names(here / "folder") == {"thesis.tex"}


def test_a_store_of_a_newer_version_is_not_read(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(json.dumps({**FORMAT, "version": 2}))
    (problem,) = mistakes(hashbench(tmp_path, "report", "--store", "."))
    assert "says version 2, this hashbench reads version 1" in problem


def test_a_full_disk_is_one_line_the_store_stays_valid_and_the_next_run_goes_on(
    matrix: Path,
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))

    here, root = matrix.parent, matrix.parent / "store"
    full = hashbench(here, "run", matrix.name, "--store", "store", before=limit)
    lines = full.stderr.splitlines()
    assert (full.returncode, len(lines)) == (2, 1), full.stderr
    assert lines[0].startswith("error: cannot write ")
    assert "File too large" in lines[0]
    assert list(root.rglob(".tmp-*")) == []
    assert Store.open(root).fit_ids() == []

    after = hashbench(here, "run", matrix.name, "--store", "store")
    assert (after.returncode, after.stderr) == (0, "")
    (fit_id,) = Store.open(root).fit_ids()
    kinds = [record.kind for record in Store.open(root).records(fit_id)]
    assert kinds == ["fit", "evaluation"]

    (record,) = root.glob("*/fit-*.json")
    record.write_text(record.read_text()[:-100])
    for words in (["status"], ["report"], ["run", matrix.name]):
        damaged = hashbench(here, *words, "--store", "store")
        (problem,) = mistakes(damaged, code=7)
        assert str(record.relative_to(here)) in problem
        assert "out of the store and run the matrix again" in problem
