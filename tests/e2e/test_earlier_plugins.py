"""Plugins written for version 0.1.0 run unchanged, from where modules were then.

`earlier_plugins` holds what `hashbench new` of that version wrote, and a loss of moved blocks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EARLIER = Path(__file__).parents[1] / "integration" / "earlier_plugins"
MATRIX = """
version: 1
name: earlier
datasets: [my_dataset]
methods:
  pairs: [{backbone: my_backbone, loss: my_loss}, {backbone: my_backbone, loss: own_blocks}]
bits: [16]
train: {epochs: 2, batch_size: 20}
evaluate: {cutoffs: [all]}
execute: {device: cpu, threads: 1}
plugins: [my_loss.py, my_backbone.py, my_dataset.py, own_blocks.py]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the plugins of then and a matrix of them."""
    folder = tmp_path / "earlier"
    shutil.copytree(EARLIER, folder)
    (folder / "matrix.yaml").write_text(MATRIX)
    return folder


def hashbench(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, with warnings shown."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "hashbench"), *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "PYTHONWARNINGS": "default::DeprecationWarning"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.thorough
def test_plugin_files_of_the_earlier_version_are_trained_and_evaluated(folder: Path) -> None:
    done = hashbench("run", "matrix.yaml", "--store", "store", folder=folder)

    assert done.returncode == 0, done.stdout + done.stderr
    records = [json.loads(file.read_text()) for file in folder.glob("store/*/fit-*.json")]
    assert [record["status"] for record in records] == ["ok", "ok"]
    assert {record["cell"]["loss"]["name"] for record in records} == {"my_loss", "own_blocks"}


def test_a_module_that_has_moved_gives_a_warning_that_names_its_place_now(folder: Path) -> None:
    done = hashbench("check-method", "own_blocks", "--plugin", "own_blocks.py", folder=folder)

    assert done.returncode == 0, done.stdout + done.stderr
    warned = [line for line in done.stderr.splitlines() if "DeprecationWarning" in line]
    assert all("own_blocks.py:" in line and "hashbench.plugin" in line for line in warned)
    old = ("centres", "classifier", "pair_likelihood", "pairs", "partners", "primitives")
    assert [line.split("DeprecationWarning: ")[1].split()[0] for line in warned] == [
        f"hashbench.methods.{name}" for name in old
    ]
