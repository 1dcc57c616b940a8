"""docs/how-to/add-a-method.md, followed word for word."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"`([\w.]+\.(?:py|yaml|toml))`")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the file that was named last before it."""

    language: str
    text: str
    file: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(match[1], match[2], (FILE_NAME.findall(page[: match.start()]) or [""])[-1])
        for match in BLOCK.finditer(page)
    ]


def follow(block: Block, folder: Path) -> str:
    """Do what a block says; returns what its commands wrote."""
    if block.language == "console":
        return run(block.text, folder)
    if block.language == "python":
        replace_function(folder / block.file, block.text)
    elif block.language == "yaml":
        (folder / block.file).write_text(block.text)
    else:
        assert block.language == "toml"
        groups = tomllib.loads(block.text)["project"]["entry-points"]
        assert list(groups) == ["hashbench.losses"]
    return ""


def replace_function(file: Path, text: str) -> None:
    """Put a function in the place of the one of its name."""
    lines = file.read_text().splitlines(keepends=True)
    (name,) = re.findall(r"^ *def (\w+)", text, flags=re.MULTILINE)
    found = [
        node
        for node in ast.walk(ast.parse("".join(lines)))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    (old,) = found
    assert old.end_lineno is not None
    lines[old.lineno - 1 : old.end_lineno] = [text]
    file.write_text("".join(lines))


def run(session: str, folder: Path) -> str:
    """Run the commands of a session and compare what they write; ``...`` stands for any lines."""
    written = ""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        program, *words = shlex.split(command)
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *words],
            cwd=folder,
            env={**os.environ, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        pattern = re.escape(shown).replace(re.escape("...\n"), r"(?:.*\n)*")
        assert re.fullmatch(pattern, done.stdout), f"{command} wrote\n{done.stdout}"
        written += done.stdout
    return written


def test_the_page_can_be_followed_word_for_word(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "how-to" / "add-a-method.md").read_text()
    found = blocks(page)
    assert [block.language for block in found] == [
        *("console", "python", "python", "console", "yaml", "console", "toml")
    ]

    written = "".join(follow(block, tmp_path) for block in found)

    assert re.search(r"\| resnet_mini \+ orthogonal +\| 0\.\d+", written)
    assert (
        "similar = (batch.labels @ batch.labels.T > 0).float()\n"
        in (tmp_path / "orthogonal.py").read_text()
    )
    words = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "test_orthogonal.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
