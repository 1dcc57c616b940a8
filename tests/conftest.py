"""What every test stands on: import paths, threads, and the files of the tree."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashbench.core.pinning import pins

ROOT = Path(__file__).resolve().parents[1]

# `python -m pytest` puts the repository root on the path, where the folder datasets/ would hide
# the library of that name from whoever imports it. Worker processes must not put it back.
sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != ROOT]
os.environ["PYTHONSAFEPATH"] = "1"

# Tiny models run faster on one thread, and sums come in one order. Set before torch is imported,
# and inherited by worker processes.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# What tests compute in their own process is computed as workers compute it. Set before numpy and
# torch are imported.
os.environ.update(pins())

# Started in the background, a shell has us ignore Ctrl-C, and all that we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a tree without git (an unpacked source distribution) may hold besides its own files.
_NOT_OURS = {"build", "dist", "hashbench-store", "PKG-INFO", "setup.cfg"}


def _files_known_to_git() -> list[str]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*command, "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _files_without_git() -> list[str]:
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        made = parts[0] in _NOT_OURS or any(
            part.endswith((".egg-info", ".pyc", "_cache")) or part in {"__pycache__", ".hypothesis"}
            for part in parts
        )
        if path.is_file() and not made and parts[0] not in {".venv", ".links"}:
            found.append("/".join(parts))
    return found


@pytest.fixture(scope="module", autouse=True)
def registry_as_before() -> Iterator[None]:
    """Forget the plugins that the tests of a file registered in this process."""
    yield
    from hashbench.core.registry import registry  # it imports numpy, which must be pinned first

    registry.cache_clear()


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the tree under test."""
    return ROOT


@pytest.fixture(scope="session")
def tree_files() -> list[str]:
    """Return every file of the tree that is or would be tracked, as paths from the root."""
    if (ROOT / ".git").exists():
        return sorted(_files_known_to_git())
    return sorted(_files_without_git())


@pytest.fixture(scope="session")
def folder_map() -> dict[str, str]:
    """Return which package lies in which top-level folder, as setup.py says it."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FOLDERS":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("setup.py defines no FOLDERS")
