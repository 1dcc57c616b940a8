"""``hashbench data import``: what it says, and what it refuses in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from hashbench.datasets import roots

Call = Callable[..., Result]
SMALL = ("--side", "8")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(roots.DATA_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(roots, "_named", [])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_it_reports_what_it_read_and_tells_progress_apart(
    photos: Path, tmp_path: Path, call: Call
) -> None:
    words = ("data", "import", photos, "--name", "mine", "--data-root", tmp_path / "root", *SMALL)
    result = call(*words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "images: 8 read of 8"
    assert lines[-2] == "split: 4 train, 2 query, 6 database"
    folder = tmp_path / "root" / "imported" / "mine"
    assert lines[-1] == f"imported imported/mine with protocol mine@1 in {folder}"
    assert result.stderr.splitlines() == ["decoding: 0 of 8", "decoding: 8 of 8"]

    again = call(*words)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[:-1] == lines[:-1]
    assert again.stdout.splitlines()[-1].startswith("was imported before, nothing to do: ")


def test_names_that_would_command_the_terminal_are_shown_harmless(
    photos: Path, tmp_path: Path, call: Call
) -> None:
    (photos / "a" / "\x1b[2J.png").write_bytes(b"")
    result = call(
        *("data", "import", photos, "--name", "mine", "--data-root", tmp_path / "root", *SMALL)
    )
    assert "\x1b" not in result.stdout
    assert r"a/\x1b[2J.png" in result.stdout


def test_without_a_data_root_it_is_refused(photos: Path, refused: Callable[..., str]) -> None:
    line = refused("data", "import", photos, "--name", "mine")
    assert line.endswith("set HASHBENCH_DATA or give --data-root")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    gone = tmp_path / "gone"
    line = refused("data", "import", gone, "--name", "mine", "--data-root", tmp_path)
    assert line == f"error: {gone}: no such folder; name a folder of images or a zip file"


def test_a_line_that_is_no_list_is_refused_with_its_place(
    photos: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    labels = tmp_path / "all.txt"
    labels.write_text("a/0.png 1\nb/1.png one\n")
    line = refused(
        *("data", "import", photos, "--labels", labels, "--name", "x", "--data-root", tmp_path)
    )
    assert line.startswith(f"error: {labels}:2: expected a path and its labels")
    assert not (tmp_path / "imported").exists()
