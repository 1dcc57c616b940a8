"""A field for every parameter, with its published default and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from hashbench.core.errors import ConfigError
from hashbench.core.params import BaseParams, resolve_params
from hashbench.core.registry import Kind, registry
from hashbench.studio.forms.parameter_fields import FieldKind, fields_of, preset_values


class Way(StrEnum):
    ONE = "one"
    TWO = "two"


class Common(BaseParams):
    """What several have.

    Attributes:
        weight: How much it
            weighs.
    """

    weight: float = Field(0.5, ge=0, lt=2)


class Params(Common):
    """Parameters.

    Attributes:
        rounds: Of the loop.
        way, other: Which way.
    """

    rounds: int = Field(3, gt=0)
    way: Way = Way.TWO
    other: Literal[16, 32] = 16
    on: bool = True
    scale: float | None = None
    sizes: tuple[int, ...] = (1, 2)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"rounds": 9, "scale": 2.0}}


FIELDS = {field.name: field for field in fields_of(Params)}


def test_fields_have_the_kind_of_their_type() -> None:
    assert {name: field.kind for name, field in FIELDS.items()} == {
        "weight": FieldKind.NUMBER,
        "rounds": FieldKind.WHOLE,
        "way": FieldKind.CHOICE,
        "other": FieldKind.CHOICE,
        "on": FieldKind.SWITCH,
        "scale": FieldKind.NUMBER,
        "sizes": FieldKind.TEXT,
    }
    assert (FIELDS["way"].choices, FIELDS["other"].choices) == (("one", "two"), (16, 32))
    assert [name for name, field in FIELDS.items() if field.optional] == ["scale"]


def test_help_comes_from_the_documentation_with_range_and_default() -> None:
    assert FIELDS["weight"].help == "How much it weighs; ≥ 0, < 2; default 0.5"
    assert FIELDS["way"].help == "Which way; default two"
    assert FIELDS["scale"].help == "default none; empty for none"


def test_a_preset_wins_over_the_defaults_it_names() -> None:
    plain = {"weight": 0.5, "rounds": 3, "way": "two", "other": 16, "on": True, "scale": None}

    assert preset_values(Params, None) == plain | {"sizes": [1, 2]}
    assert preset_values(Params, "paper") == plain | {"sizes": [1, 2], "rounds": 9, "scale": 2.0}


@pytest.mark.parametrize(
    ("name", "entered", "value"),
    [
        ("weight", "1e-3", 0.001),
        ("weight", "", 0.5),
        ("rounds", "4", 4),
        ("rounds", 4.0, 4),
        ("scale", "", None),
        ("scale", "2", 2.0),
        ("on", False, False),
        ("way", "one", "one"),
        ("sizes", "[3, 4]", [3, 4]),
    ],
)
def test_what_was_entered_becomes_a_value_of_the_type(name: str, entered: Any, value: Any) -> None:
    found = FIELDS[name].read(entered)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "entered"), [("weight", "much"), ("rounds", "1.5"), ("sizes", "[")]
)
def test_what_is_no_value_is_told_with_the_name(name: str, entered: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}:"):
        FIELDS[name].read(entered)


@pytest.mark.parametrize("kind", [Kind.LOSS, Kind.BACKBONE, Kind.METHOD])
def test_every_component_takes_the_values_its_form_begins_with(kind: Kind) -> None:
    for name in registry().names(kind):
        if name.endswith("/*"):
            continue
        params = registry().load(kind, name).Params
        for preset in [None, *params.presets]:
            values = preset_values(params, preset)
            shown = {k: v if isinstance(v, bool | list) else str(v) for k, v in values.items()}
            read = {
                field.name: field.read("" if values[field.name] is None else shown[field.name])
                for field in fields_of(params)
                if field.kind is not FieldKind.CHOICE
            }
            given = {k: v for k, v in values.items() if k not in read} | read
            expected = resolve_params(params, preset=preset, params={})
            assert resolve_params(params, preset=None, params=given) == expected, (name, preset)
