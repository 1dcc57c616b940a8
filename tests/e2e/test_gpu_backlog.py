"""``make gpu``: says so where there is no device, and its every step works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "gpu" / "backlog.py"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so_and_ends_well(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stdout.strip() == "no CUDA device"
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_every_step_runs_on_the_cpu_at_tiny_size(tmp_path: Path) -> None:
    matrix = ROOT / "tests" / "gpu" / "tiny.yaml"
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--matrix", str(matrix)]

    done = subprocess.run(
        [*command, "--store", str(tmp_path / "store")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9][0-9]+ passed", done.stdout)
    assert "## map@1000 on fashion-mnist-mini@1[64/20/100#0]" in done.stdout
    assert "K=1000>N" in done.stdout
    assert "## Training time" in done.stdout
    assert "## Query latency" in done.stdout
