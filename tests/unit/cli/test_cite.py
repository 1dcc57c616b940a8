"""``hashbench cite``: entries by name and of a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

QUICKSTART = Path("results/quickstart")


@pytest.fixture
def itq_records(root: Path) -> Path:
    """The folder of a cell of ITQ on embedded Fashion-MNIST images."""
    fits = sorted((root / QUICKSTART).glob("*/fit-*.json"))
    return next(fit.parent for fit in fits if '"itq"' in fit.read_text())


def keys(output: str) -> list[str]:
    """The keys of the entries of some BibTeX."""
    starts = [line for line in output.splitlines() if line.startswith("@")]
    return [line.partition("{")[2].rstrip(",") for line in starts]


def test_each_key_is_printed_once_and_in_order(call: Callable[..., Result]) -> None:
    result = call("cite", "hsc", "dsh", "hsc")
    assert result.exit_code == 0
    assert keys(result.stdout) == ["huang2023hsc", "liu2016dsh"]


def test_a_reconstruction_says_so(call: Callable[..., Result]) -> None:
    assert "is a reconstruction from the description in words" in call("cite", "hsc").stdout


def test_what_has_no_paper_is_told_apart_from_the_entries(call: Callable[..., Result]) -> None:
    result = call("cite", "cosine", "itq")
    assert keys(result.stdout) == ["gong2013itq"]
    assert result.stderr == "cosine (methods): nothing to cite\n"


@pytest.mark.parametrize("kind", ["fit", "evaluation", "latency"])
def test_a_record_of_any_kind_cites_what_made_it(
    kind: str, itq_records: Path, call: Callable[..., Result]
) -> None:
    (file, *_) = sorted(itq_records.glob(f"{kind}-*.json"))
    assert keys(call("cite", "--record", str(file)).stdout) == ["gong2013itq", "xiao2017fashion"]


def test_a_mistake_is_one_line(refused: Callable[..., str], root: Path, tmp_path: Path) -> None:
    assert refused("cite", "hcs") == "error: cite: unknown name 'hcs'. Did you mean 'hsc'?"
    gone = tmp_path / "gone.json"
    assert f"cite: {gone} cannot be read: No such file" in refused("cite", "--record", str(gone))
    other = root / "README.md"
    assert f"cite: {other} is not a record" in refused("cite", "--record", str(other))


def test_nothing_named_is_a_usage_error(call: Callable[..., Result]) -> None:
    result = call("cite")
    assert result.exit_code == 2
    assert "name components, or --record FILE" in result.stderr
