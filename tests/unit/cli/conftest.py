"""Fixtures of the tests of commands: a command called in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from hashbench.cli import main


@pytest.fixture
def call() -> Callable[..., Result]:
    """Return what calls the command line with some words; its output streams are kept apart."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    return run


@pytest.fixture
def refused(call: Callable[..., Result]) -> Callable[..., str]:
    """Return what calls the command line and gives the one line of its refusal."""

    def run(*words: str) -> str:
        result = call(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        return str(line)

    return run
