"""From errors to lines and exit codes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from hashbench.cli import main
from hashbench.core.errors import (
    ConfigError,
    DamagedStoreError,
    NothingSelectedError,
    StoreError,
)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch):
    """Run ``hashbench check`` with something raised in it."""

    def run(error: BaseException) -> Result:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("hashbench.cli.loading.load", fail)
        return CliRunner().invoke(main, ["check", "matrix.yaml"])

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a is wrong", "b is wrong"), 2),
        (StoreError("a is wrong\nb is wrong"), 2),
        (NothingSelectedError("a is wrong\nb is wrong"), 6),
        (DamagedStoreError("a is wrong\nb is wrong"), 7),
    ],
)
def test_an_error_is_a_line_for_each_mistake_and_its_exit_code(
    error: Exception, code: int, check
) -> None:
    result = check(error)
    assert result.exit_code == code
    assert result.stderr == "error: a is wrong\nerror: b is wrong\n"
    assert result.stdout == ""


def test_ctrl_c_ends_with_130_and_says_what_is_kept(check) -> None:
    result = check(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.stderr == "interrupted: finished work is kept; run the command again to go on\n"


def test_an_internal_error_is_not_hidden(check) -> None:
    result = check(ZeroDivisionError())
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)
