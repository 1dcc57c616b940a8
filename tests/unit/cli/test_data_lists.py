"""``hashbench data lists``: a protocol in the field's form, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from hashbench.datasets import roots
from hashbench.datasets.loading import load_data

Call = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with ``imported/mine``: images of two classes, one with a line break in it."""
    monkeypatch.delenv(roots.DATA_ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(roots, "_named", [])
    return tmp_path / "root"


@pytest.fixture
def mine(root: Path, tmp_path: Path, call: Call) -> Path:
    generator = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos" / "a" / "00.png").rename(tmp_path / "photos" / "a" / "0\n0.png")
    words = ("data", "import", tmp_path / "photos", "--name", "mine", "--side", "8")
    assert call(*words, "--data-root", root).exit_code == 0
    return tmp_path / "photos"


def test_each_role_is_a_list_of_paths_with_a_column_for_each_class(
    root: Path, mine: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "out"
    result = call("data", "lists", "mine@1", out, "--data-root", root)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        "train.txt",
        "test.txt",
        "database.txt",
        "classes.txt",
    }
    assert (out / "classes.txt").read_text() == "a\nb\n"
    lines = (out / "database.txt").read_text().splitlines()
    lines += (out / "test.txt").read_text().splitlines()
    files = [path.relative_to(mine).as_posix() for path in mine.rglob("*.png")]
    expected = {
        f"{name} 1 0" if name.startswith("a/") else f"{name} 0 1"
        for name in (name.replace("\n", "\\n") for name in files)
    }
    assert set(lines) == expected
    assert len(lines) == 12
    assert f"{out / 'database.txt'}: 10 images" in result.stdout


def test_imported_again_they_give_the_same_lists(
    root: Path, mine: Path, tmp_path: Path, call: Call
) -> None:
    (mine / "a" / "0\n0.png").rename(mine / "a" / "0\\n0.png")
    out = tmp_path / "out"
    assert call("data", "lists", "mine@1", out, "--data-root", root).exit_code == 0
    words = ("--labels", out, "--protocol", "lists", "--classes", out / "classes.txt")
    words += ("--name", "again", "--side", "8", "--data-root", root)
    result = call("data", "import", mine, *words)
    assert result.exit_code == 0, result.output
    one, other = (load_data(f"imported/{n}", f"{n}@1", root=root) for n in ("mine", "again"))
    for role in ("train", "query", "database"):
        images = [loaded.data.images[getattr(loaded.split, role)] for loaded in (one, other)]
        assert {i.tobytes() for i in images[0]} == {i.tobytes() for i in images[1]}


def test_images_without_files_are_called_by_their_positions(
    root: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "out"
    assert call("data", "lists", "digits@1", out).exit_code == 0
    split = load_data("digits", "digits@1").split
    names = [line.split()[0] for line in (out / "test.txt").read_text().splitlines()]
    assert names == [f"digits/{position:04d}" for position in split.query]


def test_a_folder_with_something_in_it_is_left_alone(
    root: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.txt").write_text("mine")
    result = call("data", "lists", "digits@1", out)
    assert result.exit_code == 2
    assert (
        result.stderr == f"error: {out}: exists and is not empty; name a new folder, or empty it\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / "train.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("digit@1", "error: unknown protocol 'digit@1'. Did you mean 'digits@1'?\n"),
        ("coco@1", "error: coco: expected a data root, found none"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_leaves_nothing(
    protocol: str, message: str, root: Path, tmp_path: Path, call: Call
) -> None:
    result = call("data", "lists", protocol, tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
