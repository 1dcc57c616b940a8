"""House rules about the files themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePosixPath

import pytest

MAX_LINES = 400
MAX_BYTES = 4 * 2**20
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}

# An absolute path that exists on one machine only. Not after a word, a dot or a variable, where
# it is part of an address or of a relative path.
MACHINE_PATH = re.compile(r"(?<![\w.~/})>*-])/(?:work|tmp|root|home|Users)/\w")


def text_of(path: Path) -> str:
    """Return the file's text; nothing for a binary file."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="ignore")


def test_no_python_file_is_longer_than_four_hundred_lines(
    root: Path, tree_files: list[str]
) -> None:
    lines = {
        name: len((root / name).read_text().splitlines())
        for name in tree_files
        if name.endswith(".py")
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_every_python_file_and_folder_has_a_name_that_says_what_it_is_for(
    tree_files: list[str],
) -> None:
    nameless = [
        name
        for name in tree_files
        if name.endswith(".py")
        and NAMES_THAT_SAY_NOTHING & set(PurePosixPath(name).with_suffix("").parts)
    ]
    assert nameless == []


def test_every_python_file_says_what_it_is_for(root: Path, tree_files: list[str]) -> None:
    silent = [
        name
        for name in tree_files
        if name.endswith(".py") and not ast.get_docstring(ast.parse((root / name).read_text()))
    ]
    assert silent == []


def test_no_file_is_larger_than_four_mebibytes(root: Path, tree_files: list[str]) -> None:
    sizes = {name: (root / name).stat().st_size for name in tree_files}
    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}


def test_no_file_names_a_path_of_the_machine_it_was_written_on(
    root: Path, tree_files: list[str]
) -> None:
    named = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name in tree_files
        for number, line in enumerate(text_of(root / name).splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert named == []


@pytest.mark.parametrize("folder", ["work", "tmp", "root", "home"])
def test_the_machine_path_rule_sees_paths_and_spares_addresses(folder: str) -> None:
    path = f"/{folder}/x"
    assert MACHINE_PATH.search(f'open("{path}")')
    assert MACHINE_PATH.search(f"file://{path}") is None
    assert MACHINE_PATH.search(f"https://example.org{path}") is None
    assert MACHINE_PATH.search(f"$HOME{path} ~{path} .{path}") is None


def test_scripts_are_executable(root: Path) -> None:
    assert (root / ".ci/run").stat().st_mode & 0o111 == 0o111
