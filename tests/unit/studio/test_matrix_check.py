"""A matrix from the page is checked as ``hashbench check`` does, and reaches for nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hashbench.cli import main
from hashbench.core.errors import ConfigError
from hashbench.studio.context import Limits, StudioContext
from hashbench.studio.forms.matrix_check import check

GOOD = """\
version: 1
name: small
datasets: digits
bits: [16, 32]
methods: {pairs: [{method: itq}, {backbone: mlp, loss: hsc}]}
"""
BAD = GOOD.replace("hsc", "hcs").replace("16", "15x") + "sedes: 1\n"


def lines(text: str, context: StudioContext) -> list[str]:
    with pytest.raises(ConfigError) as told:
        check(text, context)
    return str(told.value).splitlines()


def test_every_mistake_is_told_as_the_command_tells_it(
    context: StudioContext, tmp_path: Path
) -> None:
    (tmp_path / "matrix.yaml").write_text(BAD)
    done = CliRunner().invoke(main, ["check", str(tmp_path / "matrix.yaml")])
    command = [line.replace(f"error: {tmp_path}/", "") for line in done.stderr.splitlines()]

    assert lines(BAD, context) == command
    assert len(command) == 3


def test_models_are_kept_so_that_results_can_be_searched(context: StudioContext) -> None:
    checked = check(GOOD + "execute: {device: cpu}\n", context)

    assert len(checked.cells) == 4
    assert yaml.safe_load(checked.text)["execute"] == {"device": "cpu", "keep_model": True}
    assert "keep_model" in checked.warning


def test_a_matrix_that_keeps_them_is_run_as_it_was_written(context: StudioContext) -> None:
    text = GOOD + "# a remark\nexecute: {keep_model: true}\n"

    assert check(text, context).text == text


def test_code_is_not_taken_from_a_page(context: StudioContext, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    assert (
        "plugins: code is not taken"
        in lines(GOOD + f"plugins: [{tmp_path / 'p.py'}]\n", context)[0]
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "block",
    [
        "execute: {data_root: /etc}",
        "methods: {grid: {backbones: {name: mlp, weights: /etc/passwd}, losses: hsc}}",
        "methods: {baselines: {name: mlp, weights: /etc/passwd}}",
        "execute: {data_root: ../..}",
        "execute: {data_root: ~/}",
    ],
)
def test_files_outside_the_data_roots_are_not_read(context: StudioContext, block: str) -> None:
    start = GOOD if block.startswith("execute") else GOOD.partition("methods")[0]
    (line,) = lines(f"{start}{block}\n", context)

    assert "outside the data roots" in line or "give the whole path" in line


def test_weights_in_a_data_root_may_be_named(context: StudioContext) -> None:
    file = context.data_root / "weights.pth"
    file.write_bytes(b"x")
    block = f"methods: {{grid: {{backbones: {{name: mlp, weights: {file}}}, losses: hsc}}}}\n"
    checked = check(GOOD.partition("methods")[0] + block, context)

    expected = hashlib.sha256(b"x").hexdigest()
    assert {cell.weights.sha256 for cell in checked.cells} == {expected}


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "version: 1\nversion: 1\n", "\0"])
def test_what_is_no_matrix_is_told_in_lines(context: StudioContext, text: str) -> None:
    assert all(line.startswith("matrix.yaml") for line in lines(text, context))


def test_a_matrix_of_many_megabytes_is_not_read(context: StudioContext) -> None:
    small = StudioContext(context.store, context.data_roots, limits=Limits(matrix_bytes=100))

    assert lines(GOOD, small) == ["matrix.yaml: is longer than 100 bytes"]
