"""Follow the commands of every page outside the tutorial; conftest.py explains how."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"
CLASSES = ("beach", "city", "forest")
FOLLOWED_BELOW = {
    "how-to/add-a-method.md",
    "how-to/ci-gate.md",
    "how-to/import-your-data.md",
}
OTHERS = sorted(
    name
    for path in DOCS.rglob("*.md")
    if "```console" in path.read_text()
    and (name := path.relative_to(DOCS).as_posix()) not in FOLLOWED_BELOW
    and not name.startswith("tutorial/")  # test_docs_tutorial.py
)


class Reader(Protocol):
    root: Path
    folder: Path

    def follow(self, name: str) -> str: ...


@pytest.mark.parametrize("page", OTHERS)
def test_every_command_of_the_page_does_what_it_says(reader: Reader, page: str) -> None:
    reader.follow(page)


@pytest.mark.thorough
def test_add_a_method_ends_with_a_row_in_a_report_and_a_loss_that_passes_its_test(
    reader: Reader,
) -> None:
    written = reader.follow("how-to/add-a-method.md")
    assert re.search(r"\| resnet_mini \+ orthogonal +\| 0\.\d+", written)
    kept = (reader.folder / "orthogonal.py").read_text()
    assert "similar = (batch.labels @ batch.labels.T > 0).float()\n" in kept
    words = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(reader.folder)]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "test_orthogonal.py"],
        cwd=reader.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_the_gate_page_on_the_store_that_its_first_command_makes(reader: Reader) -> None:
    shutil.copytree(reader.root / "results" / "ci", reader.folder / "gate-store")
    reader.follow("how-to/ci-gate.md")


def make_photos(folder: Path) -> None:
    """Write the photos, tables and lists that import-your-data.md uses."""
    generator = np.random.default_rng(0)
    names = [f"{name}/{n:02d}.png" for name in CLASSES for n in range(20)][:-1]
    for name in names:
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 12, 3), dtype=np.uint8)).save(path)
    shutil.copy(folder / "photos/beach/00.png", folder / "photos/beach/copy.png")
    (folder / "photos/forest/broken.jpg").write_text("broken")
    rows = [f"{name} {CLASSES.index(name.split('/')[0])}" for name in names]
    (folder / "all.txt").write_text("\n".join(rows))
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    table = [f"{name},{name.split('/')[0]};outside" for name in names]
    (folder / "labels.csv").write_text("\n".join(["path,label", *table]))
    (folder / "lists").mkdir()
    for role, part in (("train", rows[::3]), ("test", rows[1::3]), ("database", rows[::3])):
        (folder / "lists" / f"{role}.txt").write_text("\n".join(part))


def test_import_your_data_ends_with_four_datasets(reader: Reader) -> None:
    make_photos(reader.folder)
    reader.follow("how-to/import-your-data.md")
    imported = sorted(path.name for path in (reader.folder / "data" / "imported").iterdir())
    assert imported == ["holiday", "listed", "published", "tagged"]


def test_the_footguns_page_tells_every_known_trap_and_no_other(root: Path) -> None:
    listed = tomllib.loads((root / "tests" / "pitfalls.toml").read_text())["pitfall"]
    page = (root / "docs" / "footguns.md").read_text().replace("\n  ", " ")
    told = re.findall(r"^- \*\*(.+?)\.\*\* ", page, re.M)
    assert sorted(told) == sorted(each["trap"] for each in listed)
