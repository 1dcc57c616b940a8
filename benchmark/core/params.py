"""Typed parameters of a component, with published defaults and named presets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hashbench.core.errors import ConfigError, did_you_mean


class BaseParams(BaseModel):
    """Base of every component's ``Params``: unknown names are errors, values are frozen.

    A preset is a set of values under a published name (``paper``, ``deephash``, ...); parameters
    that the user gives take precedence.

    Attributes:
        presets: Values by parameter, for each preset.
        added_later: Names of optional parameters that were added after fits had been recorded. One
            with its default value is left out of the resolved parameters, so that older fits keep
            their ids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    added_later: ClassVar[frozenset[str]] = frozenset()


def resolve_params(
    cls: type[BaseParams], *, preset: str | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in a component's parameters.

    Args:
        cls: The component's ``Params``.
        preset: The preset to start from, if any.
        params: The user's own values.

    Returns:
        Every parameter as plain data, except those in ``added_later`` that have their default.

    Raises:
        ConfigError: One problem for each unknown name, wrong type or value out of range, each
            starting with the parameter's name and a colon.
    """
    base: Mapping[str, Any] = {}
    if preset is not None:
        if preset not in cls.presets:
            known = did_you_mean(preset, list(cls.presets))
            raise ConfigError(f"preset: unknown preset '{preset}'. {known}")
        base = cls.presets[preset]
    try:
        # Strict validation of JSON: a list is accepted for a tuple and a word for an enum member,
        # but true is no number, and "3" is not 3.
        text = json.dumps({**base, **params}, default=str)
        resolved = cls.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError(*(_problem(cls, e) for e in error.errors())) from None
    usual = {
        name
        for name in cls.added_later
        if getattr(resolved, name) == cls.model_fields[name].get_default()
    }
    return resolved.model_dump(mode="json", exclude=usual)


def _problem(cls: type[BaseParams], error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown parameter. {did_you_mean(where, list(cls.model_fields))}"
    return f"{where}: {sentence(error)}"


def sentence(error: Any) -> str:
    """Rephrase an error of pydantic as one line, with the value that caused it."""
    if error["type"] == "missing":
        return "is missing"
    message = " ".join(str(error["msg"]).split())
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    value = error["input"]
    plain = isinstance(value, str | int | float | None)
    return message[0].lower() + message[1:] + (f", got {value!r}" if plain else "")
