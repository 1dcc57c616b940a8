"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path


def test_every_docstring_example_prints_what_it_says(
    root: Path, tree_files: list[str], folder_map: dict[str, str]
) -> None:
    attempted, failures = 0, []
    for package, folder in folder_map.items():
        for name in (name for name in tree_files if name.startswith(f"{folder}/")):
            if name.endswith(".py") and ">>> " in (root / name).read_text():
                inside = name.removeprefix(f"{folder}/").removesuffix(".py").replace("/", ".")
                module = import_module(f"{package}.{inside}".removesuffix(".__init__"))
                outcome = doctest.testmod(module)
                attempted += outcome.attempted
                failures += [name] * (outcome.failed > 0)
    assert failures == []
    assert attempted > 0
