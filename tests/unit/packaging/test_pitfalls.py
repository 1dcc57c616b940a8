"""The list of known traps is complete, and every test it names is there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

TRAPS = 22


def test_every_trap_names_tests_that_exist(root: Path) -> None:
    listed = tomllib.loads((root / "tests" / "pitfalls.toml").read_text())["pitfall"]
    known = {
        node.name
        for file in (root / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }

    assert len(listed) == TRAPS
    assert all(trap["tests"] for trap in listed)
    assert {name for trap in listed for name in trap["tests"]} - known == set()
