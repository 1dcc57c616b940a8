"""Error classes, exit codes and suggestions."""

from __future__ import annotations

import pytest

from hashbench.core.errors import (
    ConfigError,
    DamagedStoreError,
    DataError,
    ExitCode,
    NothingSelectedError,
    StoreError,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError, 2),
        (DataError, 2),
        (StoreError, 2),
        (NothingSelectedError, 6),
        (DamagedStoreError, 7),
    ],
)
def test_every_error_has_the_exit_code_of_its_meaning(error: type, code: int) -> None:
    assert error("x").exit_code == code


def test_exit_codes_have_one_meaning_each() -> None:
    assert len(set(ExitCode)) == len(ExitCode.__members__)


def test_several_problems_are_several_lines() -> None:
    error = ConfigError("one", "two")
    assert str(error).splitlines() == ["one", "two"]
    assert list(error.problems) == ["one", "two"]


@pytest.mark.parametrize("word", ["hcs", "HSC", "hscc"])
def test_the_nearest_word_is_suggested(word: str) -> None:
    assert did_you_mean(word, ["dsh", "hsc", "csq"]) == "Did you mean 'hsc'?"


def test_all_words_are_listed_when_none_is_near() -> None:
    assert did_you_mean("banana", ["hsc", "dsh"]) == "Known: dsh, hsc."
    assert did_you_mean("banana", []) == "None are known."
