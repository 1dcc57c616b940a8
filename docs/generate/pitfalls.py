"""The known traps and the tests that keep the code out of each."""

from __future__ import annotations

import tomllib
from pathlib import Path

from markdown_table import code, table

FILE = Path(__file__).parents[2] / "tests" / "pitfalls.toml"


def page() -> str:
    """The traps of ``tests/pitfalls.toml`` with their tests, as a table."""
    listed = tomllib.loads(FILE.read_text())["pitfall"]
    rows = [(each["trap"], "<br>".join(map(code, each["tests"]))) for each in listed]
    return table(("trap", "tests"), rows)
