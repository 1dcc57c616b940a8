"""No module calls what would run somebody else's text: read off the syntax of every module."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

CALLS: dict[str, Callable[[dict[str, object], str], bool]] = {
    # Whether a call is safe, by its keywords and the file it stands in.
    "eval": lambda words, file: False,
    "exec": lambda words, file: False,
    "compile": lambda words, file: False,
    "os.system": lambda words, file: False,
    "os.popen": lambda words, file: False,
    "marshal.loads": lambda words, file: False,
    "pickle.load": lambda words, file: False,
    "pickle.loads": lambda words, file: False,
    "joblib.load": lambda words, file: False,
    "torch.load": lambda words, file: words.get("weights_only") is True,
    "torch.hub.load": lambda words, file: False,
    "np.load": lambda words, file: words.get("allow_pickle") is False,
    "yaml.load": lambda words, file: False,
    "yaml.full_load": lambda words, file: False,
    "yaml.unsafe_load": lambda words, file: False,
    # Safe, but without limits to depth and aliases: matrix/positions.py has them.
    "yaml.safe_load": lambda words, file: False,
    **{
        f"subprocess.{name}": lambda words, file: words.get("shell", False) is False
        for name in ("run", "Popen", "call", "check_call", "check_output", "getoutput")
    },
    # A component's own file, named by the user; its digest is in the record.
    "spec.loader.exec_module": lambda words, file: file == "benchmark/core/plugins.py",
}


def unsafe(source: str, file: str) -> list[str]:
    """The unsafe calls of a module, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (safe := CALLS.get(ast.unparse(node.func))):
            words = {
                word.arg: word.value.value if isinstance(word.value, ast.Constant) else word.value
                for word in node.keywords
                if word.arg is not None
            }
            if not safe(words, file):
                found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_no_module_runs_what_it_reads(
    root: Path, tree_files: list[str], folder_map: dict[str, str]
) -> None:
    folders = tuple(f"{folder}/" for folder in folder_map.values())
    modules = [name for name in tree_files if name.endswith(".py") and name.startswith(folders)]
    assert len(modules) > len(folders)
    assert [call for name in modules for call in unsafe((root / name).read_text(), name)] == []


@pytest.mark.parametrize(
    "line",
    [
        "pickle.loads(data)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
        "yaml.safe_load(text)",
        "eval(text)",
        "spec.loader.exec_module(module)",
    ],
)
def test_such_calls_are_seen(line: str) -> None:
    assert unsafe(f"def f():\n    {line}\n", "benchmark/x.py") == [f"benchmark/x.py:2: {line}"]


@pytest.mark.parametrize(
    "line", ["torch.load(path, weights_only=True)", "np.load(file, allow_pickle=False)", "run()"]
)
def test_safe_ones_are_left_alone(line: str) -> None:
    assert unsafe(line, "benchmark/x.py") == []
