"""``hashbench protocols``: the list, and verification."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hashbench.core.registry import registry
from hashbench.datasets.protocols.protocol import FOLDER, protocol_names

Call = Callable[..., Result]
PLUGIN = '''
"""Digits again, under another name."""
from hashbench.datasets.sources.digits import Digits


class Mine(Digits):
    """Digits again."""

    default_protocol = "mine@1"
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin file with a dataset ``mine`` and a protocol of it, forgotten after the test."""
    monkeypatch.setattr(registry(), "_entries", dict(registry()._entries))
    folder = tmp_path / "plugin"
    (folder / "protocols").mkdir(parents=True)
    # A process imports a file of the same name and content once, wherever it lies.
    (folder / "mine.py").write_text(f"{PLUGIN}# {tmp_path}\n")
    text = (FOLDER / "digits@1.toml").read_text()
    text = text.replace('dataset = "digits"', 'dataset = "mine"').replace('"digits"', '"mine"')
    (folder / "protocols" / "mine@1.toml").write_text(text)
    return folder / "mine.py"


@pytest.fixture(autouse=True)
def no_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HASHBENCH_DATA", raising=False)


def cells(line: str) -> list[str]:
    """The columns of a line, which at least two spaces part."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_every_protocol_is_listed_with_what_it_is_and_whether_its_data_are_here(call: Call) -> None:
    result = call("protocols")
    assert result.exit_code == 0
    head, _, *rows = [cells(line) for line in result.stdout.splitlines()[:-1]]
    assert head[:3] == ["protocol", "dataset", "train / query / database"]
    assert [row[0] for row in rows] == protocol_names()
    listed = {row[0]: row[1:] for row in rows}
    assert listed["digits@1"] == [
        "digits",
        "500 / 200 / 1,597 (has train)",
        "10",
        "shared-label",
        "all",
        "yes",
    ]
    assert listed["fashion-mnist-2@1"][-2] == "1000"
    assert listed["cifar10@1"][-1] == "no"
    assert listed["fashion-scenes@1"][-1] == "yes"
    assert result.stdout.splitlines()[-1].startswith(f"{len(rows)} protocols; ")


def test_data_in_the_root_named_are_here(call: Call, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    lines = call("protocols", "--data-root", str(tmp_path)).stdout.splitlines()
    assert {cells(line)[-1] for line in lines if line.startswith("cifar10")} == {"yes"}


def test_listing_reads_no_image_and_no_torch() -> None:
    code = (
        "import sys; from hashbench.cli import main; "
        "main(['protocols'], standalone_mode=False); "
        "print(sorted({'torch', 'sklearn', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_verification_shows_every_line_and_ends_well_where_all_is_as_stated(call: Call) -> None:
    result = call("protocols", "verify", "digits-unseen@1", "digits@1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "digits-unseen@1 (digits)"
    assert [line.split()[0] for line in lines[1:6]] == [
        "pixels",
        "labels",
        "query",
        "train",
        "database",
    ]
    assert all("  ok  " in line for line in lines[1:7])
    assert lines[-1] == "2 protocols verified, all as stated"


def test_a_checksum_that_is_not_that_of_the_rule_ends_with_code_2(call: Call, plugin: Path) -> None:
    file = plugin.parent / "protocols" / "mine@1.toml"
    file.write_text(file.read_text().replace("seed = 0", "seed = 1"))

    result = call("protocols", "verify", "mine@1", "digits@1", "--plugin", str(plugin))

    assert result.exit_code == 2
    assert result.stdout.count("MISMATCH") == 3
    assert result.stdout.splitlines()[-1] == "2 protocols verified, not as stated: mine@1"


def test_a_plugins_protocol_is_verified_too(call: Call, plugin: Path) -> None:
    result = call("protocols", "verify", "mine@1", "--plugin", str(plugin))
    assert result.exit_code == 0
    assert result.stdout.startswith("mine@1 (mine)\n")


def test_without_a_name_what_is_here_is_verified_and_what_is_not_is_named(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ["cifar10@1", "digits-2@1", "digits@1"]
    monkeypatch.setattr("hashbench.datasets.protocols.protocol.protocol_names", lambda: few)
    result = call("protocols", "verify")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2:] == [
        "not verified, data not here: cifar10@1",
        "2 protocols verified, all as stated",
    ]


def test_damaged_data_are_told_and_the_others_verified(call: Call, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    result = call("protocols", "verify", "cifar10@1", "digits@1", "--data-root", str(tmp_path))
    assert result.exit_code == 2
    assert "data             MISMATCH" in result.stdout
    assert "data_batch_1: expected this batch" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 protocols verified, not as stated: cifar10@1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "digit@1"), "unknown protocol 'digit@1'. Did you mean 'digits@1'?"),
        (("verify", "digits"), "unknown protocol 'digits'. Did you mean 'digits@1'?"),
        (("verify", "cifar10@1"), "cifar10: expected the folder cifar-10-batches-py"),
        (("verify", "--data-root", "gone"), "data root gone: no such folder; name one that exists"),
        (("--data-root", "gone"), "data root gone: no such folder; name one that exists"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], message: str, refused: Callable[..., str]
) -> None:
    assert refused("protocols", *words).startswith(f"error: {message}")


def test_options_before_the_word_verify_are_told_where_they_belong(
    call: Call, tmp_path: Path
) -> None:
    result = call("protocols", "--data-root", str(tmp_path), "verify", "digits@1")
    assert result.exit_code == 2
    assert "write --data-root and --plugin after the word verify" in result.stderr
