"""Words of the command line."""

from __future__ import annotations

import pytest

from hashbench.cli.options import counted, parse_selections
from hashbench.core.errors import ConfigError


def test_values_of_one_word_are_alternatives() -> None:
    assert parse_selections(("bits=16,32", "loss=hsc")) == {"bits": {"16", "32"}, "loss": {"hsc"}}


def test_all_words_must_hold() -> None:
    assert parse_selections(("bits=16,32", "bits=32,64")) == {"bits": {"32"}}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hsc", "--select hsc: write KEY=VALUE, e.g. --select loss=hsc"),
        ("loss=", "--select loss=: write KEY=VALUE, e.g. --select loss=hsc"),
        ("los=hsc", "--select los=hsc: unknown key 'los'. Did you mean 'loss'?"),
    ],
)
def test_a_word_that_selects_nothing_is_told(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_selections((word,))
    assert str(caught.value) == message


def test_one_is_singular() -> None:
    assert [counted(n, "cell") for n in (0, 1, 2, 1000)] == [
        "0 cells",
        "1 cell",
        "2 cells",
        "1,000 cells",
    ]
