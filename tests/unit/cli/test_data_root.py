"""``--data-root``: where datasets are, whatever a matrix or the environment says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from hashbench.cli.loading import load
from hashbench.cli.options import data_root_option
from hashbench.datasets import roots

Call = Callable[..., Result]
MATRIX = """
version: 1
name: mine
datasets: [imported/mine]
methods: {pairs: [{method: lsh}]}
bits: 8
execute: {device: cpu, threads: 1, data_root: of-another-machine}
"""


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(roots.DATA_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(roots, "_named", [])


@pytest.fixture
def root(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with ``imported/mine``, which nobody has named yet."""
    generator = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    place = tmp_path / "root"
    words = ("data", "import", tmp_path / "photos", "--name", "mine", "--side", "8")
    assert call(*words, "--data-root", place).exit_code == 0
    monkeypatch.setattr(roots, "_named", [])
    return place


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    """A matrix of one cell on it, whose own data root is not there."""
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX)
    return file


def test_without_it_the_matrix_cannot_be_read(call: Call, root: Path, matrix: Path) -> None:
    result = call("check", matrix)
    assert result.exit_code == 2
    assert "execute.data_root: no such folder: " in result.stderr
    assert "datasets.0.name: " in result.stderr


@pytest.mark.parametrize("words", [("check",), ("run", "--dry-run"), ("status",)], ids=" ".join)
def test_it_counts_instead_of_the_matrix(
    words: tuple[str, ...], call: Call, root: Path, matrix: Path, tmp_path: Path
) -> None:
    store = () if words == ("check",) else ("--store", tmp_path / "store")
    result = call(*words, matrix, *store, "--data-root", root)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "mine@1 | lsh on pixels | 8 bits | seed 0" in result.stdout


def test_it_is_taken_before_the_matrix_and_the_environment(
    root: Path, matrix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "of-another-machine").mkdir()
    monkeypatch.setenv(roots.DATA_ROOT_VARIABLE, "elsewhere")
    assert load(matrix, data_root=root).request.data_root == root


def test_workers_in_another_folder_find_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)

    @click.command()
    @data_root_option
    def tell(data_root: Path | None) -> None:
        click.echo(data_root)

    assert CliRunner().invoke(tell, ["--data-root", "root"]).stdout == f"{root}\n"
    assert CliRunner().invoke(tell).stdout == "\n"


def test_a_record_is_reproduced_on_it(call: Call, root: Path, matrix: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert call("run", matrix, "--store", store, "--data-root", root).exit_code == 0
    (folder,) = store.glob("[!.]*/")
    result = call("reproduce", folder, "--store", store, "--data-root", root)
    assert result.exit_code == 0, result.output
    assert "verdict: bit-equal" in result.stdout


@pytest.mark.parametrize("command", ["check", "run", "status", "reproduce", "verify", "latency"])
def test_one_that_is_not_there_is_refused(
    command: str, refused: Callable[..., str], matrix: Path
) -> None:
    line = refused(command, matrix, "--data-root", "gone")
    assert line == "error: data root gone: no such folder; name one that exists"
