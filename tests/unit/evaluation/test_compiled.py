"""Compiled loops on disk are never older than the sources they were made from, nor thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hashbench.evaluation.kernels import compiled

CONSTANTS = """
from package.numbers import NUMBER
"""
INNER = """
from package.loops.compiled import compiled
from package.constants import NUMBER

@compiled
def number():
    return NUMBER
"""
OUTER = """
from package.loops.compiled import compiled
from package.loops.inner import number

@compiled
def double():
    return 2 * number()
"""


def double(place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from package.loops.outer import double; print(double())"],
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_loops_are_compiled_anew_where_a_source_of_theirs_changed_and_only_there(
    tmp_path: Path,
) -> None:
    package = tmp_path / "package"
    loops = package / "loops"
    loops.mkdir(parents=True)
    shutil.copy(compiled.__file__, loops)
    (loops / "outer.py").write_text(OUTER)
    (loops / "inner.py").write_text(INNER)
    (package / "constants.py").write_text(CONSTANTS)
    (package / "numbers.py").write_text("NUMBER = 4")
    (package / "unrelated.py").write_text("NUMBER = 4")

    def kept() -> list[Path]:
        return sorted((loops / "__pycache__").glob("outer.double-*.nbi"))

    assert double(tmp_path) == "8"
    first = kept()

    (package / "unrelated.py").write_text("NUMBER = 6")
    assert double(tmp_path) == "8"
    assert kept() == first != []

    (package / "numbers.py").write_text("NUMBER = 50")
    assert double(tmp_path) == "100"
    assert len(kept()) == 2


def test_the_loops_of_evaluation_depend_on_no_file_outside_their_folder() -> None:
    folder = Path(compiled.__file__).parent
    imported = {file for source in folder.glob("*.py") for file in compiled._imported(source)}
    assert {file.parent for file in imported} == {folder.resolve()}
