"""A run's progress, read off the lines that it wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hashbench.studio.jobs.run_figure import training_figure
from hashbench.studio.jobs.run_log import RunLog, duration, read_run, words


def line(event: str, **about: Any) -> str:
    return json.dumps({"event": event, **about})


def epoch(cell: str, number: int, total: float, *, of: int = 4, seconds: float = 2.0) -> str:
    terms = {"pair": total - 1, "total": total}
    return line(
        "epoch", cell=cell, epoch=number, epochs=of, terms=terms, seconds=seconds, images=10
    )


PLAN = line("plan", cells=4, states={"missing": 3, "done": 1}, store="s")
FIRST = line("started", cell="a", label="digits@1 | mlp + hsc", position=1, total=3)
FINISHED = line(
    "finished", cell="a", status="ok", error=None, seconds=10.0, metrics={"map@all/x": 0.5}
)


def read(*lines: str) -> RunLog:
    return read_run("\n".join(lines))


def test_loss_terms_and_validation_are_found_by_epoch() -> None:
    values = {"validation/map@all": 0.25}
    run = read(
        PLAN,
        FIRST,
        epoch("a", 1, 3.0),
        line("validation", cell="a", values=values),
        epoch("a", 2, 2.0),
    )
    cell = run.cells["a"]

    assert (run.planned, run.there, run.to_do) == (4, 1, 3)
    assert cell.terms == {1: {"pair": 2.0, "total": 3.0}, 2: {"pair": 1.0, "total": 2.0}}
    assert cell.validation == {2: values}
    assert (cell.doing, run.current) == ("epoch 2 of 4", cell)


def test_the_time_left_is_that_of_the_epochs_and_of_the_cells_that_wait() -> None:
    # A cell of 4 epochs of 2 s at its second, and two more cells of 8 s each.
    assert read(PLAN, FIRST, epoch("a", 1, 3.0), epoch("a", 2, 3.0)).left == 4.0 + 2 * 8.0


def test_after_a_finished_cell_the_others_are_thought_to_take_as_long() -> None:
    second = line("started", cell="b", label="b", position=2, total=3)
    run = read(PLAN, FIRST, FINISHED, second, epoch("b", 3, 1.0, of=5, seconds=1.0))

    # Two epochs of 1 s; then one cell, of the median of 10 s and 5 / 3 s.
    assert run.left == pytest.approx(2.0 + (10.0 + 5 / 3) / 2)


@pytest.mark.parametrize("lines", [[], [PLAN], [PLAN, FIRST]])
def test_nothing_is_known_before_the_first_epoch(lines: list[str]) -> None:
    assert read(*lines).left is None
    assert duration(None) == "not known yet"


def test_a_failed_cell_is_counted_and_says_why() -> None:
    failed = line("finished", cell="a", status="oom", error="no memory", seconds=1.0, metrics={})
    run = read(PLAN, FIRST, failed)

    assert [cell.error for cell in run.failed] == ["no memory"]
    assert run.current is None


def test_a_resumed_run_keeps_the_epochs_before_it_was_stopped() -> None:
    again = line("started", cell="a", label="digits@1 | mlp + hsc", position=1, total=1)
    run = read(PLAN, FIRST, epoch("a", 1, 3.0), PLAN, again, epoch("a", 2, 2.0))

    assert sorted(run.cells["a"].terms) == [1, 2]
    assert run.current is run.cells["a"]


@pytest.mark.parametrize(
    "torn",
    ["{", '{"event": "epoch", "cell": "a"', '{"event": "epoch", "cell": "a"}', "[1]", "{}", "text"],
)
def test_torn_and_foreign_lines_are_passed_over(torn: str) -> None:
    run = read(PLAN, FIRST, torn, epoch("a", 1, 3.0))

    assert sorted(run.cells["a"].terms) == [1]


def test_words_are_the_lines_that_are_no_events() -> None:
    assert words(f"{PLAN}\nwarning: x\n{FIRST}\n") == ["warning: x"]


def test_the_picture_has_the_loss_terms_and_the_validation() -> None:
    lines = [FIRST, line("validation", cell="a", values={"map": 0.5}), epoch("a", 1, 3.0)]
    figure = training_figure(read(*lines))

    assert training_figure(read(PLAN, FIRST)) is None
    assert figure is not None
    loss, validation = figure.axes
    assert {curve.get_label() for curve in loss.get_lines()} == {"pair", "total"}
    assert [list(curve.get_ydata()) for curve in validation.get_lines()] == [[0.5]]


def test_a_label_with_signs_of_formulas_is_drawn_as_it_is() -> None:
    started = line("started", cell="a", label="x | _$\\frac{$", position=1, total=1)
    figure = training_figure(read(started, epoch("a", 1, 3.0)))

    assert figure is not None
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (90, "1.5 min"), (5400, "1.5 h")]
)
def test_times_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
