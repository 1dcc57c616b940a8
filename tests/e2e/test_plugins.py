"""Components of one's own, three ways: --plugin, plugins: in the matrix, another package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import in_process
import pytest

BIN = Path(sys.executable).parent
SECOND = Path(__file__).parents[1] / "integration" / "second_package"
MATRIX = """
version: 1
name: mine
datasets: [{dataset}]
methods: {{pairs: [{{backbone: {backbone}, loss: {loss}}}]}}
bits: [16]
train: {{epochs: 2, batch_size: 20}}
evaluate: {{cutoffs: [all]}}
execute: {{device: cpu, threads: 1}}
"""


def hashbench(
    *words: str, folder: Path, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the command in a folder; as a process, if a folder of packages is to be on its path."""
    if path is None:
        return in_process.hashbench(*words, folder=folder)
    return subprocess.run(
        [str(BIN / "hashbench"), *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def said(*words: str, folder: Path, path: str | None = None) -> str:
    """Return the standard output of a command that succeeds."""
    done = hashbench(*words, folder=folder, path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fit_record(store: Path) -> dict[str, Any]:
    """The one fit record of a store."""
    (file,) = store.glob("*/fit-*.json")
    record: dict[str, Any] = json.loads(file.read_text())
    return record


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def scaffold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new loss, backbone and dataset, and a matrix of them."""
    folder = tmp_path_factory.mktemp("scaffold")
    for kind in ("loss", "backbone", "dataset"):
        said("new", kind, f"my_{kind}", folder=folder)
    matrix = MATRIX.format(dataset="my_dataset", backbone="my_backbone", loss="my_loss")
    (folder / "bare.yaml").write_text(matrix)
    plugins = "plugins: [my_loss.py, my_backbone.py, my_dataset.py]\n"
    (folder / "named.yaml").write_text(matrix + plugins)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of packages with the second package installed in it by pip."""
    tree, site = tmp_path_factory.mktemp("second") / "tree", tmp_path_factory.mktemp("site")
    shutil.copytree(SECOND, tree)
    words = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, "--target", str(site), str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(site)


@pytest.mark.parametrize("way", ["--plugin", "plugins:"])
def test_plugin_files_bring_a_loss_a_backbone_and_a_dataset(scaffold: Path, way: str) -> None:
    files = [scaffold / f"my_{kind}.py" for kind in ("loss", "backbone", "dataset")]
    words = [word for file in files for word in ("--plugin", file.name)]
    run = ["bare.yaml", *words] if way == "--plugin" else ["named.yaml"]
    store = scaffold / f"store{way.strip(':-')}"

    said("run", *run, "--store", str(store), folder=scaffold)

    record = fit_record(store)
    assert record["status"] == "ok"
    made_by = [
        record["sources"][f"{kind}/my_{name}"]
        for kind, name in (("losses", "loss"), ("backbones", "backbone"), ("datasets", "dataset"))
    ]
    assert made_by == [sha256(file) for file in files]
    assert record["cell"]["data"]["protocol"] == "my_dataset@1"
    report = said("report", "--store", str(store), folder=scaffold)
    assert "my_backbone + my_loss" in report


@pytest.mark.thorough
def test_another_installed_package_brings_a_loss_a_backbone_and_a_dataset(
    site: str, tmp_path: Path
) -> None:
    matrix = MATRIX.format(dataset="second_data", backbone="second_backbone", loss="second_loss")
    (tmp_path / "second.yaml").write_text(matrix)

    said("run", "second.yaml", folder=tmp_path, path=site)

    record = fit_record(tmp_path / "hashbench-store")
    assert record["status"] == "ok"
    package = Path(site, "hashbench_second")
    assert record["sources"]["losses/second_loss"] == sha256(package / "loss.py")
    assert record["sources"]["backbones/second_backbone"] == sha256(package / "backbone.py")
    assert record["sources"]["datasets/second_data"] == sha256(package / "data.py")
    assert record["cell"]["data"]["protocol"] == "second@1"


def test_another_package_is_listed_with_its_protocols_and_cited_without_being_imported(
    site: str, tmp_path: Path
) -> None:
    # What cannot be imported can be listed all the same.
    Path(site, "hashbench_second", "broken.py").write_text('raise RuntimeError("imported")\n')
    points = Path(site, "hashbench_second-1.2.dist-info", "entry_points.txt")
    kept = points.read_text()
    points.write_text(kept + "\n[hashbench.engines]\nbroken = hashbench_second.broken:Engine\n")
    try:
        listed = said("list", folder=tmp_path, path=site)
    finally:
        points.write_text(kept)
    assert {"second_loss", "second_backbone", "second_data", "second@1", "broken"} <= {
        line.split()[0] for line in listed.splitlines()
    }
    cited = said("cite", "second_loss", folder=tmp_path, path=site)
    assert cited == (
        "@misc{nobody2030,\n  title = {Second loss},\n  note = {Nobody, 2030}\n}\n"
    )  # fmt: skip


def test_a_plugin_file_that_takes_a_packages_name_is_an_error_that_shows_both(
    site: str, tmp_path: Path
) -> None:
    shutil.copy(SECOND / "hashbench_second" / "loss.py", tmp_path / "mine.py")
    done = hashbench(
        "check-method", "second_loss", "--plugin", "mine.py", folder=tmp_path, path=site
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "the name 'second_loss' is taken twice" in line
    assert "hashbench-second 1.2" in line
    assert str(tmp_path / "mine.py") in line


def test_scaffolds_pass_their_own_tests_the_linter_and_the_formatter(scaffold: Path) -> None:
    tests = [str(file) for file in scaffold.glob("test_my_*.py")]
    assert len(tests) == 3
    words = ["-q", "-p", "no:cacheprovider", "--rootdir", str(scaffold), "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *tests],
        cwd=scaffold,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
    rules = "E,F,I,N,D,UP,B,C4,SIM,PTH,RUF,PL,NPY"
    google = ["--config", 'lint.pydocstyle.convention="google"', "--ignore", "D103,D107,PLR2004"]
    lint = ["check", "--no-cache", "--select", rules, *google]
    for line in (lint, ["format", "--no-cache", "--check"]):
        words = [*line, "--isolated", "--line-length", "100", "--target-version", "py311", "."]
        checked = subprocess.run(
            [str(BIN / "ruff"), *words], cwd=scaffold, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout


def test_a_loss_that_breaks_a_rule_ends_the_check_with_3_and_a_remedy(
    scaffold: Path, tmp_path: Path
) -> None:
    text = (scaffold / "my_loss.py").read_text()
    (tmp_path / "my_loss.py").write_text(
        text.replace("batch.outputs.tanh()", "batch.outputs.sign()")
    )

    done = hashbench("check-method", "my_loss", "--plugin", "my_loss.py", folder=tmp_path)

    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert (
        "gradient reaches the outputs    FAILED   the gradient at the outputs is zero everywhere"
        in lines
    )
    assert any(line.startswith("to fix 'gradient reaches the outputs': ") for line in lines)
    assert lines[-1] == "my_loss (losses): 15 checks, 1 failed"
