"""Reports shown in results/README.md are what the command above each prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from hashbench.cli import main

ROOT = Path(__file__).parents[3]
SHOWN = re.findall(
    r"<!-- hashbench (?P<words>report [^\n]+) -->\n\n(?P<text>.*?)\n<!-- end of report -->",
    (ROOT / "results" / "README.md").read_text(),
    re.DOTALL,
)


@pytest.mark.parametrize(("words", "text"), SHOWN, ids=[words for words, _ in SHOWN])
def test_a_report_shown_is_what_its_command_prints(
    words: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, shlex.split(words))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == text.strip()


def test_there_are_reports() -> None:
    assert SHOWN
