"""Reports shown in results/README.md and docs/results are what the command above each prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from hashbench.cli import main

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    ROOT / "results" / "README.md",
    *sorted(ROOT.glob("docs/results/*.md")),
]
BLOCK = re.compile(
    r"<!-- hashbench (?P<words>(?:report|claims) [^\n]+) -->\n\n"
    r"(?P<text>.*?)\n<!-- end of report -->",
    re.DOTALL,
)
SHOWN = [(page, *shown) for page in PAGES for shown in BLOCK.findall(page.read_text())]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        # Judging all claims on all stores is tens of thousands of resamplings.
        pytest.param(words, text, marks=pytest.mark.thorough if page.stem == "claims" else ())
        for page, words, text in SHOWN
    ],
    ids=[f"{page.stem}: {words}" for page, words, _ in SHOWN],
)
def test_a_report_shown_is_what_its_command_prints(
    words: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, shlex.split(words))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == text.strip()


def test_every_page_shows_a_report() -> None:
    assert {page for page, _, _ in SHOWN} == set(PAGES)
