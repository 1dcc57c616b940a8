"""Where a Ray cluster is: said to what has one, and to nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hashbench.cli import main

MATRIX = """\
version: 1
name: small
datasets: [digits]
methods: {pairs: [{method: lsh}]}
bits: [8]
execute: {device: cpu}
"""


@pytest.mark.parametrize(
    "words",
    [
        ["run", "small.yaml", "--address", "auto"],
        ["run", "small.yaml", "--backend", "slurm", "--address", "auto"],
        ["doctor", "--address", "auto"],
        ["doctor", "--backend", "slurm", "--address", "auto"],
    ],
)
def test_an_address_without_ray_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(MATRIX)
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: --address auto: needs --backend ray\n"
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_ray_that_is_not_installed_is_one_line_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(MATRIX)
    monkeypatch.setattr("hashbench.run.backends.importlib.util.find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["run", "small.yaml", "--backend", "ray"])
    assert result.exit_code == 2
    assert "pip install 'hashbench[ray]'" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
