"""The known mistakes of hashing code and the tests that guard against each."""

from __future__ import annotations

import tomllib
from pathlib import Path

from markdown_table import code, table

FILE = Path(__file__).parents[2] / "tests" / "pitfalls.toml"


def page() -> str:
    """Return the table of mistakes and tests of ``tests/pitfalls.toml``."""
    listed = tomllib.loads(FILE.read_text())["pitfall"]
    rows = [(each["trap"], "<br>".join(map(code, each["tests"]))) for each in listed]
    return table(("mistake", "tests"), rows)
