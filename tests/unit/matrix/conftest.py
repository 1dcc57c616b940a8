"""Matrix files from YAML text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from hashbench.core.registry import Registry
from hashbench.matrix.expand import Expansion, expand
from hashbench.matrix.load import load_matrix

Write = Callable[[str], Path]
Expand = Callable[[str], Expansion]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a matrix file; the text is dedented."""

    def write_text(text: str) -> Path:
        file = tmp_path / "matrix.yaml"
        file.write_text(dedent(text))
        return file

    return write_text


@pytest.fixture
def expanded(write: Write, components: Registry) -> Expand:
    """Load and expand a matrix given as its blocks without version and name."""
    return lambda text: expand(
        load_matrix(write("version: 1\nname: test\n" + dedent(text)), components), components
    )
