"""``hashbench check-method``: what it checks, how it says so, what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import Result


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what a check sets for its whole process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


def test_a_component_is_checked_with_the_parameters_asked_for(call: Callable[..., Result]) -> None:
    result = call("check-method", "resnet_mini", "--param", "width=4")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["check", "verdict", "what", "was", "seen"]
    assert any(line.endswith("32 px: pooled (4, 16), no tokens") for line in lines)
    assert lines[-1] == "resnet_mini (backbones): 8 checks, all passed"


@pytest.mark.parametrize(
    ("name", "kind"), [("hsc", "losses"), ("lsh", "methods"), ("digits", "datasets")]
)
def test_every_kind_has_its_checks(name: str, kind: str, call: Callable[..., Result]) -> None:
    result = call("check-method", name)
    assert result.exit_code == 0, result.output
    *table, verdict = result.stdout.splitlines()
    count = len(table) - 1
    assert verdict == f"{name} ({kind}): {count} checks, all passed"
    assert all("  ok  " in line for line in table[1:])


def test_a_preset_is_checked_where_one_is_named(call: Callable[..., Result]) -> None:
    result = call("check-method", "hsc", "--preset", "contrast_only")
    assert "quantisation 0.2714 (weight 0)" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hcs",), "there is no loss, backbone, method or dataset 'hcs'. Did you mean 'hsc'?"),
        (("hsc", "--param", "tau"), "--param tau: write KEY=VALUE, e.g. --param variant=tiny"),
        (("hsc", "--param", "tau=1"), "tau: unknown parameter."),
        (("hsc", "--param", "tau=["), "--param tau:1:2: not YAML: "),
        (("hsc", "--preset", "papr"), "preset: unknown preset 'papr'."),
        (("digits", "--param", "a=1"), "a dataset has no parameters; omit --param"),
        (("hsc", "--plugin", "gone.py"), "plugin gone.py: no such file"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], message: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert message in refused("check-method", *words)
