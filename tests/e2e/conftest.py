"""A reader of documentation: does what a page says, block by block, and compares what it shows.

* `console`: every command runs in the reader's folder, `hashbench` in this process unless a shell
  has to read the line, and must print what the page shows. ``...`` on a line of its own stands for
  any lines, elsewhere for the rest of a line. Ids and numbers with a point may differ, those of the
  form 0.dddd by 0.05; so may the width of columns. A command must end with 0, or with what
  ``$ echo $?`` after it shows.
* A `console` block with a title that starts with "needs" or "takes" does not run. Its commands must
  be there, with all their options, and its matrices without mistakes.
* `yaml` that is a matrix, and `python` that is a function, go into the file that was named last.
* `toml` and other `yaml` must be well-formed; `text` is not looked at.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
import yaml
from in_process import hashbench

from hashbench.cli import main

BLOCK = re.compile(r'^```(\w+)(?: title="([^"\n]*)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"`([\w.]+\.(?:py|yaml|toml))`")
TOKEN = re.compile(
    r"(?P<lines>^\.\.\.\n)|(?P<rest>\.\.\.)|(?P<id>\b[0-9a-f]{16}\b)|(?P<share>\b0\.\d{4}\b)"
    r"|(?P<number>\d[\d,]*\.\d+)|(?P<rule>-{3,})|(?P<gap> +)",
    flags=re.MULTILINE,
)
PATTERNS = {
    "lines": r"(?:.*\n)*",
    "rest": r".*",
    "id": r"[0-9a-f]{16}",
    "share": r"([01]\.\d{4})",
    "number": r"\d[\d,]*\.\d+",
    "rule": r"-+",
    "gap": r" +",
}
NOT_RUN = ("needs ", "takes ")
NEIGHBOURING = 0.05
SHELL = "|&;<>$`*?#~\n"  # characters by which a shell changes a line
PROGRAMS_NOT_OURS = {"cd", "git", "python3", "pip", ".venv/bin/pip", "ray", "source"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, title and text, and the file that was named last before it."""

    language: str
    title: str
    text: str
    files: list[str]

    @property
    def file(self) -> str:
        (name,) = self.files
        return name


@dataclass(frozen=True)
class Call:
    """A command, what the page shows of its output, and the code it must end with."""

    command: str
    shown: str
    code: int = 0


def blocks(page: str) -> list[Block]:
    found = [
        Block(each[1], each[2] or "", each[3], FILE_NAME.findall(page[: each.start()])[-1:])
        for each in BLOCK.finditer(page)
    ]
    assert 2 * len(found) == len(re.findall("^```", page, re.M)), "a fence that is not understood"
    return found


def calls(session: str) -> Iterator[Call]:
    assert session.startswith("$ ")
    parts = [part.partition("\n") for part in re.split(r"^\$ ", session, flags=re.M)[1:]]
    following = [*(command for command, _, _ in parts[1:]), ""]
    for (command, _, shown), then in zip(parts, following, strict=True):
        if command != "echo $?":
            codes = [int(text) for word, _, text in parts if word == then == "echo $?"]
            yield Call(command, shown, *codes[:1])


def differs(shown: str, written: str) -> bool:
    pattern, end = "", 0
    for token in TOKEN.finditer(shown):
        pattern += re.escape(shown[end : token.start()]) + PATTERNS[str(token.lastgroup)]
        end = token.end()
    found = re.fullmatch(pattern + re.escape(shown[end:]), written)
    shares = [match["share"] for match in TOKEN.finditer(shown) if match["share"]]
    return found is None or any(
        abs(float(ours) - float(theirs)) > NEIGHBOURING
        for ours, theirs in zip(shares, found.groups(), strict=True)
    )


def replace_function(file: Path, text: str) -> None:
    """Put a function in the place of the one of its name."""
    lines = file.read_text().splitlines(keepends=True)
    (name,) = re.findall(r"^ *def (\w+)", text, flags=re.MULTILINE)
    (old,) = [
        node
        for node in ast.walk(ast.parse("".join(lines)))
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    assert old.end_lineno is not None
    lines[old.lineno - 1 : old.end_lineno] = [text]
    file.write_text("".join(lines))


@dataclass(frozen=True)
class Reader:
    """Follows pages in one folder."""

    root: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "COLUMNS": "100"})
    checked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        binaries = str(Path(sys.executable).parent)
        self.environment["PATH"] = f"{binaries}{os.pathsep}{self.environment['PATH']}"
        for name in ("matrices", "claims"):
            (self.folder / name).symlink_to(self.root / name)

    def follow(self, name: str) -> str:
        """Do what a page below docs/ says; returns all that its commands wrote."""
        page = (self.root / "docs" / name).read_text()
        found = blocks(page)
        for store in set(re.findall(r"\bresults/([\w-]+)", "".join(b.text for b in found))):
            if not (self.folder / "results" / store).exists():
                shutil.copytree(self.root / "results" / store, self.folder / "results" / store)
        return "".join(self._do(block) for block in found)

    def _do(self, block: Block) -> str:
        if block.language == "console":
            if block.title.startswith(NOT_RUN):
                return "".join(self._look_at(call) for call in calls(block.text))
            return "".join(self._run(call) for call in calls(block.text))
        if block.language == "yaml" and block.text.startswith("version: 1\n"):
            (self.folder / block.file).write_text(block.text)
        elif block.language == "yaml":
            assert yaml.safe_load(block.text)
        elif block.language == "python":
            replace_function(self.folder / block.file, block.text)
        elif block.language == "toml":
            assert tomllib.loads(block.text)
        else:
            assert block.language == "text"
        return ""

    def _run(self, call: Call) -> str:
        if call.command.startswith("export "):
            name, _, value = call.command.removeprefix("export ").partition("=")
            self.environment[name] = value.replace("$PWD", str(self.folder))
            return ""
        if call.command.startswith("hashbench check "):
            self.checked.add(call.command.split()[-1])
        done = self._done(call.command)
        everything = (done.stdout + done.stderr).replace(str(self.folder), "$PWD")
        assert done.returncode == call.code, f"{call.command}\n{everything}"
        printed = done.stdout.replace(str(self.folder), "$PWD")
        if call.shown and differs(call.shown, printed) and differs(call.shown, everything):
            raise AssertionError(f"{call.command} wrote\n{everything}")
        return everything

    def _done(self, command: str) -> subprocess.CompletedProcess[str]:
        program, *words = shlex.split(command)
        if program == "hashbench" and not set(command) & set(SHELL):
            return hashbench(*words, folder=self.folder, env=self.environment)
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _look_at(self, call: Call) -> str:
        program, *words = shlex.split(call.command)
        if program == "hashbench":
            self._look_at_options(words)
        elif program == "make":
            targets = re.findall(r"^([\w-]+):", (self.root / "Makefile").read_text(), re.M)
            assert words[0] in targets, call.command
        elif program == "python" and words[0] == "-m":
            assert importlib.util.find_spec(words[1]), call.command
        elif program == "python":
            assert (self.root / words[0]).is_file(), call.command
        else:
            assert program in PROGRAMS_NOT_OURS, call.command
        return ""

    def _look_at_options(self, words: list[str]) -> None:
        command: click.Command = main
        context = click.Context(main)
        while (
            isinstance(command, click.Group)
            and words
            and words[0] in command.list_commands(context)
        ):
            found = command.get_command(context, words.pop(0))
            assert found is not None
            command = found
        known = {option for each in command.params for option in each.opts}
        unknown = {word.partition("=")[0] for word in words if word[:1] == "-"} - known
        assert not unknown, f"{command.name} has no {unknown}"
        for word in words:
            if word.endswith(".yaml") and word not in self.checked:
                self.checked.add(word)
                self._run(Call(f"hashbench check {word}", ""))


@pytest.fixture
def reader(root: Path, tmp_path: Path) -> Reader:
    """A reader in an empty folder beside the tree's matrices and claims."""
    return Reader(root, tmp_path)
