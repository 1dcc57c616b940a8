"""Plugin files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.plugins import load_plugin, load_plugins
from hashbench.core.registry import Kind, Registry

PLUGIN = '''
from hashbench.core.registry import Kind

class Base:
    KIND = Kind.LOSS

class MyLoss(Base):
    """Mine."""

class Renamed(Base):
    name = "short"

class _Private(Base):
    pass

Alias = MyLoss
'''
ABSTRACT = """
from abc import ABC, abstractmethod
from hashbench.core.registry import Kind

class Unfinished(ABC):
    KIND = Kind.LOSS

    @abstractmethod
    def forward(self): ...
"""


@pytest.fixture
def found() -> Registry:
    return Registry()


def test_public_classes_are_registered_in_snake_case_or_under_their_own_name(
    tmp_path: Path, found: Registry
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.replace("Base", "_Base"))
    load_plugin(file, found)
    assert found.names(Kind.LOSS) == ["my_loss", "short"]
    entry = found.get(Kind.LOSS, "my_loss")
    assert entry.origin == str(file)
    assert entry.load().__doc__ == "Mine."
    assert entry.source() == file
    assert entry.summary() == "Mine."


def test_one_file_named_in_two_ways_is_one_origin(
    tmp_path: Path, found: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    load_plugins([Path("mine.py"), tmp_path / "mine.py", Path(os.curdir, "mine.py")], found)
    assert "my_loss" in found.names(Kind.LOSS)


def test_the_same_name_in_two_files_is_an_error_that_shows_both(
    tmp_path: Path, found: Registry
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(PLUGIN)
    load_plugin(tmp_path / "one.py", found)
    with pytest.raises(ConfigError, match="taken twice") as caught:
        load_plugin(tmp_path / "two.py", found)
    assert "one.py" in str(caught.value)
    assert "two.py" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "defines no component"),
        ("class Thing:\n    KIND = 'losses?'", "defines no component"),
        (ABSTRACT, "defines no component"),
        ("def broken(:", "cannot be imported: SyntaxError"),
        ("raise RuntimeError('one\\ntwo')", "cannot be imported: RuntimeError: one two"),
        ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("import not_installed_anywhere", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_plugin_that_is_none_is_one_line_that_names_the_file(
    text: str, message: str, tmp_path: Path, found: Registry
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_plugin(file, found)
    assert f"plugin {file}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_plugin_is_an_error(tmp_path: Path, found: Registry) -> None:
    with pytest.raises(ConfigError, match=r"gone\.py: no such file"):
        load_plugin(tmp_path / "gone.py", found)


def test_a_file_that_is_not_python_is_an_error(tmp_path: Path, found: Registry) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ConfigError, match=r"a plugin ends in \.py"):
        load_plugin(tmp_path / "notes.txt", found)
