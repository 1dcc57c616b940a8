"""Typed parameters of components."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from hashbench.core.errors import ConfigError
from hashbench.core.params import BaseParams, resolve_params


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


class Params(BaseParams):
    rate: float = Field(default=0.5, ge=0)
    steps: int = 3
    sizes: tuple[int, ...] = (1, 2)
    mood: Mood = Mood.CALM
    side: Literal["left", "right"] = "left"
    limit: float | None = None

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"rate": 0.1, "steps": 9, "mood": Mood.WILD},
    }


def resolve(preset: str | None = None, **params: Any) -> dict[str, Any]:
    return resolve_params(Params, preset=preset, params=params)


def test_defaults_come_as_plain_data() -> None:
    assert resolve() == {
        "rate": 0.5,
        "steps": 3,
        "sizes": [1, 2],
        "mood": "calm",
        "side": "left",
        "limit": None,
    }


def test_own_values_win_over_the_preset_and_the_preset_over_the_defaults() -> None:
    found = resolve("paper", steps=4, sizes=[5], mood="calm")
    assert found == {**resolve(), "rate": 0.1, "steps": 4, "sizes": [5]}


def test_a_whole_number_is_a_float_where_a_float_is_wanted() -> None:
    assert repr(resolve(rate=1)["rate"]) == "1.0"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"rata": 1.0}, "rata: unknown parameter. Did you mean 'rate'?"),
        ({"rate": -1.0}, "rate: should be greater than or equal to 0, got -1.0"),
        ({"rate": True}, "rate: should be a valid number, got True"),
        ({"rate": "0.5"}, "rate: should be a valid number, got '0.5'"),
        ({"rate": float("nan")}, "rate: should be a finite number, got nan"),
        ({"steps": 2.5}, "steps: should be a valid integer, got 2.5"),
        ({"mood": "sad"}, "mood: should be 'calm' or 'wild', got 'sad'"),
        ({"side": "up"}, "side: should be 'left' or 'right', got 'up'"),
        ({"sizes": [1, "x"]}, "sizes.1: should be a valid integer, got 'x'"),
    ],
)
def test_a_mistake_is_one_problem_that_starts_with_the_parameter(
    params: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(**params)
    assert list(caught.value.problems) == [problem]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(rata=1, steps="x", side="up")
    assert sorted(p.partition(":")[0] for p in caught.value.problems) == ["rata", "side", "steps"]


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"preset: unknown preset 'papper'\. Did you mean 'paper'\?"
    ):
        resolve("papper")
