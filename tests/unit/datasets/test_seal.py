"""The tables for a new protocol."""

from __future__ import annotations

import tomllib

import pytest

from hashbench.datasets.protocols import seal
from hashbench.datasets.protocols.protocol import load_protocol


@pytest.mark.parametrize(
    "name", ["digits@1", "digits-2@1", "digit-mixtures@1", "fashion-mnist-mini@1"]
)
def test_tables_are_those_of_the_published_files(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seal.main([name]) == 0
    tables = tomllib.loads(capsys.readouterr().out)
    spec = load_protocol(name)
    assert tables == {"sizes": spec.sizes, "sha256": spec.checksums}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "usage: "),
        (["a", "b", "c"], "usage: "),
        (["digits@1", "gone.py"], "plugin gone.py: no such file"),
        (["digit@1"], "Did you mean 'digits@1'?"),
    ],
)
def test_a_wrong_command_line_ends_with_exit_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seal.main(words) == 2
    assert message in capsys.readouterr().err
