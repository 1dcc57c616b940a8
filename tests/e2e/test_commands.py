"""Every command: its help, and what it prints and refuses without a trained method."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from in_process import hashbench

from hashbench.cli import main
from hashbench.store.store import Store

COMMAND = str(Path(sys.executable).with_name("hashbench"))
SECTIONS = {
    "Start and run": ["doctor", "check", "run", "status", "logs"],
    "Read results": ["report", "compare", "evaluate", "latency"],
    "Verify and share results": [
        *("verify", "reproduce", "explain-diff", "gate", "claims", "export", "import", "merge")
    ],
    "Search and serve": ["encode", "query", "serve", "studio", "shards"],
    "Data": ["data", "protocols"],
    "Look up and extend": ["list", "describe", "cite", "new", "check-method"],
}
COMMANDS = [name for names in SECTIONS.values() for name in names]
MATRIX = """\
version: 1
name: tiny
datasets: [digits]
methods:
  pairs:
    - {method: lsh}
    - {backbone: resnet_mini, loss: hsc}
bits: [16, 32]
exclude:
  - {loss: hsc, bits: 32, because: one is enough}
"""


def said(*words: str, folder: Path | None = None) -> str:
    """Return the standard output of a command that succeeds."""
    result = hashbench(*words, folder=folder)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def refused(*words: str, code: int = 2, folder: Path | None = None) -> str:
    """Return the one line of standard error of a command that fails."""
    result = hashbench(*words, folder=folder)
    assert (result.returncode, result.stdout) == (code, ""), result.stderr
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(MATRIX)
    return tmp_path


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section of a help text."""
    parts = [part.splitlines() for part in text.split("\n\n") if not part.startswith("Usage:")]
    return {title.removesuffix(":"): lines for title, *lines in parts if title.endswith(":")}


def test_help_lists_the_commands_in_sections_in_the_order_of_use() -> None:
    listed = sections(said("--help"))
    assert list(listed) == ["Options", *SECTIONS]
    names = {title: [line.split()[0] for line in lines] for title, lines in listed.items()}
    assert names == names | SECTIONS


@pytest.mark.parametrize("group", [[], ["data"], ["shards"]])
def test_help_gives_each_command_one_whole_sentence_at_80_columns(group: list[str]) -> None:
    result = CliRunner().invoke(main, [*group, "--help"], env={"COLUMNS": "80"})
    listed = sections(result.output)
    del listed["Options"]
    lines = [line for part in listed.values() for line in part]
    assert len(lines) > 2
    for line in lines:
        assert re.fullmatch(r"  [a-z-]+ +[A-Z].*[^.]\.", line), line
        assert len(line) < 80


def completed(*words: str) -> list[str]:
    """Return the completions of the last word that the installed command offers to bash."""
    variables = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    result = subprocess.run(
        [COMMAND],
        env={**os.environ, **variables, "_HASHBENCH_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.removeprefix("plain,") for line in result.stdout.splitlines()]


def test_the_shell_completes_commands_and_options() -> None:
    assert completed("hashbench", "ex") == ["explain-diff", "export"]
    assert completed("hashbench", "shards", "s") == ["synthesise", "search"]
    assert completed("hashbench", "report", "--tr") == ["--trace"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_line_prints_a_completion_script(shell: str, root: Path) -> None:
    line = f"_HASHBENCH_COMPLETE={shell}_source hashbench"
    assert line in (root / "docs" / "reference" / "commands.md").read_text()
    environment = {**os.environ, "_HASHBENCH_COMPLETE": f"{shell}_source"}
    script = subprocess.run(
        [COMMAND], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert f"_HASHBENCH_COMPLETE={shell}_complete" in script


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from hashbench.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({'torch', 'numpy', 'pandas', 'yaml', 'rich', 'pydantic'} & {*sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    text = said(command, "--help")
    assert text.startswith(f"Usage: hashbench {command} ")
    assert "--help" in text


def test_list_shows_every_kind_with_a_summary_each() -> None:
    lines = said("list").splitlines()
    kinds = [line.removesuffix(":") for line in lines if not line.startswith(" ")]
    assert kinds == [
        "losses",
        "loss_groups",
        "backbones",
        "methods",
        "datasets",
        "engines",
        "reporters",
        "protocols",
        "recipes",
    ]
    entries = [line.split(maxsplit=1) for line in lines if line.startswith(" ")]
    assert all(len(entry) == 2 for entry in entries)
    assert {
        "hsc",
        "classic4",
        "ae_vit",
        "itq",
        "digits",
        "exact",
        "markdown",
        "digits@1",
        "vts",
    } <= {name for name, _ in entries}


def test_list_takes_a_kind_and_a_pattern() -> None:
    lines = said("list", "backbones", "ae_*").splitlines()
    assert [line.split()[0] for line in lines] == ["ae_vit", "ae_vit_mini"]


def test_list_of_what_is_not_there_is_one_line() -> None:
    assert refused("list", "loses") == "error: list: unknown kind 'loses'. Did you mean 'losses'?"
    line = refused("list", "losses", "x*", code=6)
    assert line == "error: list: no name in losses matches 'x*'"


def test_describe_shows_a_losss_paper_parameters_and_presets() -> None:
    text = said("describe", "dsh")
    assert text.startswith("dsh (losses, hashbench ")
    assert "CVPR 2016" in text
    assert "  parameters:\n" in text
    assert "  learns from: labels\n" in text


def test_describe_shows_what_a_loss_needs() -> None:
    text = said("describe", "dhd")
    assert "  last layer: ln_tanh\n" in text
    assert "  augmented views: 2 of an image, changed by 'dhd' unless another is named\n" in text
    assert "  before training: reads features of all training images\n" in said("describe", "ssdh")
    assert "last layer" not in said("describe", "csq")


def test_describe_shows_a_backbones_words() -> None:
    text = said("describe", "ae_vit")
    assert "variant = 'base' (" in text
    assert "preset channel: local=False, channel=True, spatial=False" in text


def test_describe_shows_a_member_of_a_family() -> None:
    assert said("describe", "timm/resnet10t").startswith("timm/resnet10t (backbones, hashbench ")
    line = refused("describe", "timm/resnet10x")
    assert line.endswith("Did you mean 'timm/resnet10t'?")


def test_describe_shows_a_protocols_sizes_and_a_datasets_licence() -> None:
    assert "  query: 500 images\n" in said("describe", "fashion-mnist-mini@1")
    assert "  licence: MIT" in said("describe", "fashion_mnist_mini")


def test_describe_shows_everything_of_a_name() -> None:
    text = said("describe", "csq")
    assert "csq (losses, hashbench " in text
    assert "csq (recipe)\n" in text


def test_describe_shows_the_losses_of_a_group() -> None:
    text = said("describe", "classic4")
    assert text.startswith("classic4 (loss_groups, hashbench ")
    assert "  losses: dsh, hashnet, csq, dpn\n" in text


def test_describe_says_what_is_a_reconstruction() -> None:
    assert "  reconstruction: yes: no formula was published\n" in said("describe", "hsc_margin")


def test_describe_of_an_unknown_name_is_one_line_with_the_nearest() -> None:
    line = refused("describe", "hashnett")
    assert line == "error: describe: unknown name 'hashnett'. Did you mean 'hashnet'?"


def test_doctor_shows_the_machine_and_counts_its_warnings(tmp_path: Path) -> None:
    lines = said("doctor", folder=tmp_path).splitlines()
    assert lines[0].startswith("hashbench ")
    assert any(line.startswith("  torch ") for line in lines)
    warnings = [line for line in lines if line.startswith("warning: ")]
    assert lines[-1].split()[0] == str(len(warnings))
    assert list(tmp_path.iterdir()) == []


def test_check_lists_cells_exclusions_and_metrics(matrix: Path) -> None:
    lines = said("check", "tiny.yaml", folder=matrix).splitlines()
    assert [line.partition("  ")[2] for line in lines[:3]] == [
        "digits@1 | lsh on pixels | 16 bits | seed 0",
        "digits@1 | lsh on pixels | 32 bits | seed 0",
        "digits@1 | resnet_mini + hsc | 16 bits | seed 0",
    ]
    assert lines[3:] == [
        "excluded: 1 cell, because one is enough",
        "metric: map@all/div=hits/ties=expected/empty=zero",
        "tiny.yaml: no mistakes, 3 cells",
    ]


def test_the_schema_for_editors_is_json() -> None:
    schema = json.loads(said("check", "--schema"))
    assert schema["title"] == "MatrixSpec"
    assert set(schema["required"]) == {"version", "name", "datasets", "methods", "bits"}


def test_check_of_nothing_is_a_usage_error() -> None:
    result = hashbench("check")
    assert result.returncode == 2
    assert "name a matrix file, or give --schema" in result.stderr


def test_a_dry_run_and_status_show_what_is_missing_and_write_nothing(matrix: Path) -> None:
    dry = said("run", "tiny.yaml", "--dry-run", "--select", "method=lsh", folder=matrix)
    first, *cells, estimate, source = dry.splitlines()
    assert first == "tiny: 2 cells: 2 missing; store hashbench-store"
    assert [line.split()[0] for line in cells] == ["missing", "missing"]
    assert estimate == "estimate: time and disk unknown"
    assert source.strip() == "2 of 2: unknown, no record of a like cell in the store"
    status = said("status", "tiny.yaml", folder=matrix).splitlines()
    assert status[-1] == "3 missing"
    assert [path.name for path in matrix.iterdir()] == ["tiny.yaml"]


def test_a_selection_may_name_a_group_of_losses(tmp_path: Path) -> None:
    text = MATRIX.replace("loss: hsc}", "loss: classic4}").partition("exclude")[0]
    (tmp_path / "four.yaml").write_text(text + "seeds: [0]\n")
    words = ("four.yaml", "--dry-run", "--select", "loss=classic4", "--select", "bits=16")
    cells = [line for line in said("run", *words, folder=tmp_path).splitlines() if " + " in line]
    assert [line.split(" + ")[1].split()[0] for line in cells] == ["dsh", "hashnet", "csq", "dpn"]


def test_a_selection_of_no_cell_ends_with_6(matrix: Path) -> None:
    line = refused("run", "tiny.yaml", "--select", "loss=dsh", code=6, folder=matrix)
    said = "error: tiny.yaml: nothing selected: --select loss=dsh; it has no loss of dsh. "
    assert line.startswith(said)
    line = refused("run", "tiny.yaml", "--select", "los=hsc", folder=matrix)
    assert line == "error: --select los=hsc: unknown key 'los'. Did you mean 'loss'?"


def test_an_empty_store_has_no_cells_and_no_results(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    assert said("status", "--store", "store", folder=tmp_path) == "no cells\n"
    report = said("report", "--store", "store", folder=tmp_path)
    assert report == "No results yet: run a matrix first.\n"


def test_a_report_in_an_unknown_format_is_one_line(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    line = refused("report", "--store", "store", "--format", "markdwon", folder=tmp_path)
    assert line.endswith("unknown name 'markdwon' in reporters. Did you mean 'markdown'?")


@pytest.mark.parametrize("words", [["list", "losses"], ["describe", "hsc"]])
def test_a_full_output_is_one_line_and_code_2(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot write the standard output: No space left on device; "
        "make room, or send it elsewhere\n"
    )


def test_a_closed_output_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [COMMAND, "list", "losses"], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")
