"""A matrix that names ``folder``, ``list`` or ``csv``: it is told the command that helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from hashbench.datasets import roots

Call = Callable[..., Result]
MATRIX = "version: 1\nname: own\ndatasets: [{}]\nmethods: {{pairs: [{{method: lsh}}]}}\nbits: 8\n"
NAMES = {"folder": "mine_in_folders", "list": "mine_by_list", "csv": "mine_by_table"}


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(roots.DATA_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(roots, "_named", [])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images of two classes, and the same classes as a list and as a table."""
    generator = np.random.default_rng(0)
    names = [f"{'ab'[number % 2]}/{number:02d}.png" for number in range(12)]
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    columns = {"a": "1 0", "b": "0 1"}
    (tmp_path / "LIST.txt").write_text("".join(f"{name} {columns[name[0]]}\n" for name in names))
    table = [f"{name},{name[0]}" for name in names]
    (tmp_path / "TABLE.csv").write_text("\n".join(["path,label", *table, ""]))
    return tmp_path / "photos"


@pytest.mark.parametrize("form", NAMES)
def test_the_command_it_is_told_makes_the_dataset_it_is_told_to_write(
    form: str, call: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    matrix = tmp_path / "own.yaml"
    matrix.write_text(MATRIX.format(form))
    (line,) = call("check", matrix).stderr.splitlines()
    assert f"own.yaml:3:12: datasets.0.name: '{form}' is no dataset" in line

    told = re.search(r"`hashbench (.*)`.*'(imported/NAME)'", line)
    assert told is not None
    name, root = NAMES[form], ("--data-root", tmp_path / "root")
    words = [{"DIR": "photos", "NAME": name}.get(word, word) for word in told[1].split()]
    assert call(*words, *root, "--side", "8").exit_code == 0
    matrix.write_text(MATRIX.format(told[2].replace("NAME", name)))
    checked = call("check", matrix, *root)
    assert checked.exit_code == 0, checked.output
    assert f"{name}@1 | lsh on pixels | 8 bits" in checked.stdout
