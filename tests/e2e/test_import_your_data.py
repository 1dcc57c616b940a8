"""The page docs/how-to/import-your-data.md, followed word by word."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ("beach", "city", "forest")


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "how-to" / "import-your-data.md").read_text()


@pytest.fixture
def place(tmp_path: Path, page: str) -> Path:
    """A folder with what the page speaks of: photos, tables and lists."""
    generator = np.random.default_rng(0)
    names = [f"{name}/{n:02d}.png" for name in CLASSES for n in range(20)][:-1]
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 12, 3), dtype=np.uint8)).save(path)
    shutil.copy(tmp_path / "photos/beach/00.png", tmp_path / "photos/beach/copy.png")
    (tmp_path / "photos/forest/broken.jpg").write_text("broken")
    rows = [f"{name} {CLASSES.index(name.split('/')[0])}" for name in names]
    (tmp_path / "all.txt").write_text("\n".join(rows))
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    table = [f"{name},{name.split('/')[0]};outside" for name in names]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *table]))
    (tmp_path / "lists").mkdir()
    for role, part in (("train", rows[::3]), ("test", rows[1::3]), ("database", rows[::3])):
        (tmp_path / "lists" / f"{role}.txt").write_text("\n".join(part))
    (matrix,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "mine.yaml").write_text(matrix)
    return tmp_path


def test_every_command_of_the_page_does_what_it_says(place: Path, page: str) -> None:
    environment = {**os.environ, "HASHBENCH_DATA": str(place / "data")}
    blocks = re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL)
    commands = [block.splitlines() for block in blocks]
    lines = [(line[2:], block[1:]) for block in commands for line in block if line[:1] == "$"]
    assert lines.pop(0) == ("export HASHBENCH_DATA=$PWD/data", [])
    for command, shown in lines:
        program, *words = shlex.split(command)
        result = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        printed = [line for line in shown if line[:1] != "$"]
        assert not printed or result.stdout.replace(str(place), "$PWD").splitlines() == printed
    imported = sorted(path.name for path in (place / "data" / "imported").iterdir())
    assert imported == ["holiday", "listed", "published", "tagged"]
