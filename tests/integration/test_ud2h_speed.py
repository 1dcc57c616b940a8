"""What the comparison of UD2H's two forms says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from ud2h_speed import Course, compare, main

from hashbench.core.errors import ExitCode

MATRIX = """\
version: 1
name: both
datasets: [{name: digits, subset: {train: 200}}]
methods:
  grid:
    backbones: [mlp]
    losses: LOSSES
bits: 16
seeds: [0, 1]
train: {epochs: 4, lr: 1.0e-3, backbone_lr: 1.0e-3, prepass: pixels, VALIDATION}
"""
BOTH = (
    "[{name: ud2h, params: {mode: tuned}}, {name: ud2h, params: {mode: tuned, asymmetric: false}}]"
)


def matrix(folder: Path, *, losses: str = BOTH, validation: str = "{fraction: 0.2}") -> str:
    held_out = f"validation: {validation}" if validation else "weight_decay: 0.0"
    file = folder / "both.yaml"
    file.write_text(MATRIX.replace("LOSSES", losses).replace("VALIDATION", held_out))
    return str(file)


def test_a_quality_is_reached_in_the_first_epoch_that_has_it() -> None:
    course = Course(quality=[0.2, 0.6, 0.5, 0.7], seconds=[1.0, 2.5, 3.0, 4.5])

    assert course.reaches(0.5) == (2, 2.5)
    assert course.reaches(0.6) == (2, 2.5)
    assert course.reaches(0.65) == (4, 4.5)
    assert course.reaches(0.71) is None


def test_the_ratio_is_of_the_mean_seconds_of_all_seeds() -> None:
    asymmetric = [Course([0.1, 0.8], [1.0, 2.0]), Course([0.8, 0.8], [2.0, 3.0])]
    symmetric = [Course([0.5, 0.8], [1.0, 3.0]), Course([0.1, 0.9], [2.0, 5.0])]

    lines = compare({False: symmetric, True: asymmetric}, 0.8)

    assert lines == [
        "| 0.8 | asymmetric | 2/2 | 1.5 | 2.00 |  |",
        "| 0.8 | symmetric | 2/2 | 2.0 | 4.00 | 2.00 |",
    ]


def test_there_is_no_time_and_no_ratio_where_a_seed_never_gets_there() -> None:
    reached, short = Course([0.8], [1.0]), Course([0.7], [1.0])

    assert compare({True: [reached, short], False: [reached, reached]}, 0.8) == [
        "| 0.8 | asymmetric | 1/2 |  |  |  |",
        "| 0.8 | symmetric | 2/2 | 1.0 | 1.00 |  |",
    ]


def test_both_forms_of_all_seeds_are_trained_and_set_against_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([matrix(tmp_path), "0.01", "1.01"]) is ExitCode.OK

    title, _, _, *rows = capsys.readouterr().out.strip().splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert title.startswith("mode tuned, sample 2000; highest mAP: asymmetric 0.")
    assert [row[:4] for row in cells] == [
        ["0.01", "asymmetric", "2/2", "1.0"],
        ["0.01", "symmetric", "2/2", "1.0"],
        ["1.01", "asymmetric", "0/2", ""],
        ["1.01", "symmetric", "0/2", ""],
    ]
    assert float(cells[1][5]) > 0
    assert cells[3][5] == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation": ""}, "nothing is held out. Write validation: {fraction: 0.1}"),
        ({"losses": "[csq]"}, "only the loss ud2h has the two forms"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    change: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([matrix(tmp_path, **change)]) is ExitCode.USAGE

    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["both.yaml", "high"]])
def test_a_wrong_call_says_what_a_right_one_is(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) is ExitCode.USAGE
    assert capsys.readouterr().err.startswith("usage: python tools/ud2h_speed.py MATRIX")
