"""A strict cell gives the same model under whatever instruction sets the user's shell allows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hashbench.core.pinning import LEVEL, can_pin, pins
from hashbench.core.record import FitRecord
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

MATRIX = """
version: 1
name: pins
datasets: [digits]
methods: {{pairs: [{{backbone: mlp, loss: csq}}]}}
bits: 32
seeds: [0]
train: {{epochs: 4, batch_size: 64, lr: 1.0e-3, backbone_lr: 1.0e-3, determinism: {determinism}}}
evaluate: {{metrics: [map]}}
execute: {{device: cpu, threads: 1, keep_model: true}}
"""


def fit(folder: Path, determinism: str, **variables: str) -> FitRecord:
    matrix = folder / "matrix.yaml"
    folder.mkdir()
    matrix.write_text(MATRIX.format(determinism=determinism))
    bare = {key: value for key, value in os.environ.items() if key not in pins()}
    subprocess.run(
        [Path(sys.executable).parent / "hashbench", "run", matrix, "--store", folder / "store"],
        env={**bare, **variables},
        check=True,
        capture_output=True,
    )
    (results,) = read_all(Store.open(folder / "store"))
    assert results.fit is not None
    return results.fit


@pytest.mark.thorough
@pytest.mark.skipif(not can_pin(), reason="this processor has no AVX2")
def test_strict_cells_are_equal_under_other_settings_where_fast_ones_are_not(
    tmp_path: Path,
) -> None:
    old = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    strict = fit(tmp_path / "one", "strict"), fit(tmp_path / "two", "strict", **old)
    fast = fit(tmp_path / "three", "fast", **old)

    assert strict[0].artifacts["model"].sha256 == strict[1].artifacts["model"].sha256
    for record in strict:
        assert record.environment.arithmetic is not None
        assert record.environment.arithmetic.level == LEVEL
    assert fast.environment.arithmetic is not None
    assert (fast.environment.arithmetic.level, fast.environment.arithmetic.torch) == (
        None,
        "DEFAULT",
    )
    assert fast.artifacts["model"].sha256 != strict[0].artifacts["model"].sha256
