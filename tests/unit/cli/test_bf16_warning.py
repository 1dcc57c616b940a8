"""Which commands say that this processor has no bfloat16 instructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hashbench.core import environment

MATRIX = """\
version: 1
name: half
datasets: [digits]
methods:
  pairs: [{backbone: mlp, loss: csq}]
bits: [16]
seeds: [0, 1]
evaluate: {metrics: [map@all]}
train: {epochs: 1, precision: PRECISION}
"""


@pytest.fixture(autouse=True)
def processor(computes: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say whether this processor has instructions for bfloat16."""
    monkeypatch.setattr(environment, "cpu_computes_bf16", lambda: computes)


@pytest.mark.parametrize(
    ("precision", "computes", "warned"),
    [("bf16", False, True), ("bf16", True, False), ("bf16", None, False), ("fp32", False, False)],
)
def test_check_counts_the_cells_in_bf16_where_the_processor_has_no_instructions_for_it(
    precision: str,
    computes: bool | None,
    warned: bool,
    call: Callable[..., Result],
    tmp_path: Path,
) -> None:
    matrix = tmp_path / "half.yaml"
    matrix.write_text(MATRIX.replace("PRECISION", precision))

    result = call("check", str(matrix))

    assert result.exit_code == 0
    assert ("warning: 2 cells with `precision: bf16`" in result.stdout) is warned
    assert "no mistakes, 2 cells" in result.stdout


@pytest.mark.parametrize(("computes", "warned"), [(False, True), (True, False), (None, False)])
def test_doctor_warns_of_bf16_where_the_processor_has_no_instructions_for_it(
    computes: bool | None, warned: bool, call: Callable[..., Result], tmp_path: Path
) -> None:
    result = call("doctor", "--store", str(tmp_path))

    assert result.exit_code == 0
    assert ("the processor has no bfloat16 instructions" in result.stdout) is warned
