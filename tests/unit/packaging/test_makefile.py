"""Which tests the commands of the Makefile and of .ci/run run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def pytest_of(target: str, root: Path) -> str:
    """Return the words that a target of the Makefile gives to pytest."""
    words = ["make", "--dry-run", "--old-file=install-test", "--old-file=browser", target]
    printed = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in printed.splitlines() if " -m pytest " in line]
    return line.partition(" -m pytest ")[2]


def test_test_all_leaves_no_test_out_and_test_leaves_out_the_thorough_alone(root: Path) -> None:
    whole = pytest_of("test-all", root)
    assert not re.search(r"(^| )(-m|-k|--deselect|--ignore\S*|\w*tests/)", whole)
    assert pytest_of("test", root) == f'{whole} -m "not thorough"'


def test_ci_runs_all_tests(root: Path) -> None:
    stages = re.findall(r"^  stage tests make (\S+)", (root / ".ci" / "run").read_text(), re.M)
    assert stages == ["test-all"]
