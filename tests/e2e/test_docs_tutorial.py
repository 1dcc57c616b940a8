"""Follow the commands of the tutorial from the first page to the last; conftest.py explains how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import pytest

PAGES = ("first-run", "seeds-and-differences", "own-method")


class Reader(Protocol):
    folder: Path

    def follow(self, name: str) -> str: ...


@pytest.mark.thorough
def test_the_tutorial_can_be_followed_from_the_first_page_to_the_last(reader: Reader) -> None:
    written = "".join(reader.follow(f"tutorial/{name}.md") for name in PAGES)
    assert re.search(r"\| mlp \+ agree +\| 0\.\d+", written)
    assert len(list((reader.folder / "hashbench-store").glob("*/fit-*.json"))) == 6
