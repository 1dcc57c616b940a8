"""Killed at eight random moments, a store ends as if nobody had touched it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.thorough
def test_eight_kills_lose_nothing_finished_and_change_no_code(root: Path, tmp_path: Path) -> None:
    script, output = root / "tests" / "torture" / "torture.py", tmp_path / "outcome.json"
    words = ["--kills", "8", "--seed", "1", "--output", str(output)]

    ended = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    outcome = json.loads(output.read_text())
    assert outcome["problems"] == []
    assert outcome["kills"] == 8
    assert outcome["found"]["stores completed"] >= 1
