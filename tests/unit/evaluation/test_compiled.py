"""What is compiled and kept is never what the files said before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hashbench.evaluation.kernels import compiled

INNER = """
from loops.compiled import compiled

@compiled
def number():
    return {number}
"""
OUTER = """
from loops.compiled import compiled
from loops.inner import number

@compiled
def double():
    return 2 * number()
"""


def double(place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from loops.outer import double; print(double())"],
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_change_of_another_file_is_noticed_by_what_calls_it(tmp_path: Path) -> None:
    loops = tmp_path / "loops"
    loops.mkdir()
    shutil.copy(compiled.__file__, loops)
    (loops / "outer.py").write_text(OUTER)
    (loops / "inner.py").write_text(INNER.format(number=4))
    assert double(tmp_path) == "8"
    kept = sorted((loops / "__pycache__").glob("outer.double-*.nbi"))
    assert double(tmp_path) == "8"
    assert sorted((loops / "__pycache__").glob("outer.double-*.nbi")) == kept != []

    (loops / "inner.py").write_text(INNER.format(number=50))
    assert double(tmp_path) == "100"
