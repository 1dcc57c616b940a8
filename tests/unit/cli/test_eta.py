"""How long a run may still take."""

from __future__ import annotations

import pytest

from hashbench.cli.eta import Eta, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the clock, to be set."""
    now = [0.0]
    monkeypatch.setattr("hashbench.cli.eta.time.perf_counter", lambda: now[0])
    return now


def test_nothing_is_known_before_the_first_of_unknown_cells_ended(clock: list[float]) -> None:
    eta = Eta()
    eta.started("a", 3)
    assert eta.left is None
    eta.finished("a", 10.0)
    assert eta.left == 20.0


def test_estimates_count_and_what_has_passed_is_taken_off(clock: list[float]) -> None:
    eta = Eta({"a": 30.0, "b": 20.0})
    eta.started("a", 2)
    clock[0] = 10.0
    assert eta.left == 40.0


def test_cells_beside_each_other_share_the_time(clock: list[float]) -> None:
    eta = Eta({"a": 30.0, "b": 30.0, "c": 30.0}, slots=2)
    eta.started("a", 3)
    eta.started("b", 3)
    assert eta.left == 45.0


def test_estimates_are_corrected_by_what_cells_really_took(clock: list[float]) -> None:
    eta = Eta(dict.fromkeys("abcd", 10.0))
    for name, seconds in (("a", 15.0), ("b", 15.0)):
        eta.started(name, 4)
        eta.finished(name, seconds)
    assert eta.left == 2 * 15.0


def test_one_cell_that_took_far_less_than_its_like_does_not_speak_for_all(
    clock: list[float],
) -> None:
    eta = Eta({"a": 400.0, "b": 100.0, "c": 100.0})
    for name, left in (("a", 2 * 62.5), ("b", 100.0)):
        eta.started(name, 3)
        eta.finished(name, 100.0)
        assert eta.left == left


def test_the_share_of_its_epochs_tells_more_than_an_estimate(clock: list[float]) -> None:
    eta = Eta({"a": 500.0})
    eta.started("a", 1)
    clock[0] = 10.0
    eta.advanced("a", 0.25)
    assert eta.left == pytest.approx(30.0)


def test_a_cell_that_is_put_off_is_still_to_be_done(clock: list[float]) -> None:
    eta = Eta({"a": 10.0, "b": 20.0})
    eta.started("a", 2)
    eta.put_off("a")
    assert eta.left == 30.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "?"), (0.4, "0 s"), (90.0, "1.5 min"), (5400.0, "1.5 h")]
)
def test_durations_are_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_one_cell_that_took_long_does_not_stand_for_those_to_come() -> None:
    eta = Eta()
    for name, seconds in (("a", 3_600.0), ("b", 20.0), ("c", 20.0)):
        eta.started(name, total=5)
        eta.finished(name, seconds)
    assert eta.left == pytest.approx(40.0)
