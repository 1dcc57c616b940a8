"""``hashbench new``: the files it writes, the names it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hashbench.core.plugins import load_plugin
from hashbench.core.registry import Kind, Registry


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "of", "files"),
    [
        ("loss", Kind.LOSS, ["a_2_b.py", "test_a_2_b.py"]),
        ("backbone", Kind.BACKBONE, ["a_2_b.py", "test_a_2_b.py"]),
        ("dataset", Kind.DATASET, ["a_2_b.py", "protocols/a_2_b@1.toml", "test_a_2_b.py"]),
    ],
)
def test_it_writes_a_plugin_of_the_name_and_its_test_and_says_what_is_next(
    kind: str, of: Kind, files: list[str], here: Path, call: Callable[..., Result]
) -> None:
    result = call("new", kind, "a_2_b")

    assert result.exit_code == 0, result.stderr
    written = sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file())
    assert written == files
    next_line = "next: edit a_2_b.py, then: hashbench check-method a_2_b --plugin a_2_b.py"
    assert result.stdout.splitlines()[-1] == next_line
    found = Registry()
    load_plugin(here / "a_2_b.py", found)
    assert found.names(of) == ["a_2_b"]
    assert found.get(of, "a_2_b").load().info.title == "A 2 b"


def test_a_new_loss_is_short(here: Path, call: Callable[..., Result]) -> None:
    call("new", "loss", "short")
    assert len((here / "short.py").read_text().splitlines()) <= 45


@pytest.mark.parametrize("name", ["My-Loss", "_x", "2x", "a__b", "x_", "é", "a/b", "..", "a" * 41])
def test_what_is_no_name_is_refused(name: str, here: Path, refused: Callable[..., str]) -> None:
    line = refused("new", "loss", name)
    assert line.startswith(f"error: new: '{name}' is not a valid name; use at most 40 small ")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["class", "json"])
def test_a_word_or_module_of_python_is_refused(name: str, refused: Callable[..., str]) -> None:
    expected = f"error: new: '{name}' is a keyword or module of Python; try my_{name}"
    assert refused("new", "backbone", name) == expected


def test_a_name_that_is_taken_is_refused_with_its_origin(refused: Callable[..., str]) -> None:
    assert "a loss 'hsc' already exists (hashbench " in refused("new", "loss", "hsc")
    assert "a dataset 'digits' already exists" in refused("new", "dataset", "digits")


def test_a_folder_is_made_and_nothing_in_it_overwritten(
    here: Path, call: Callable[..., Result], refused: Callable[..., str]
) -> None:
    result = call("new", "dataset", "birds", "--dir", "sub/folder")
    assert result.stdout.splitlines()[0] == "wrote sub/folder/birds.py"
    assert result.stdout.endswith("check-method birds --plugin sub/folder/birds.py\n")
    protocol = here / "sub/folder/protocols/birds@1.toml"
    (here / "sub/folder/birds.py").unlink()
    protocol.write_text("mine")

    line = refused("new", "dataset", "birds", "--dir", "sub/folder")

    assert line.startswith("error: new: sub/folder/test_birds.py already exists; ")
    assert protocol.read_text() == "mine"
    assert not (here / "sub/folder/birds.py").exists()


def test_a_folder_that_cannot_be_made_is_one_line(here: Path, refused: Callable[..., str]) -> None:
    (here / "file").write_text("")
    assert "cannot write file/x.py: " in refused("new", "loss", "x", "--dir", "file")
