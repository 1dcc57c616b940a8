"""The fields of a form, read off a component's typed parameters."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from hashbench.core.errors import ConfigError
from hashbench.core.params import BaseParams
from hashbench.matrix.positions import read_value

_ATTRIBUTE: Final = re.compile(r"^    (\w+(?:, \w+)*): (.*)$")
_CONTINUED: Final = re.compile(r"^        \s*(\S.*)$")
_BOUNDS: Final = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))


class FieldKind(StrEnum):
    """What a field of the form looks like."""

    NUMBER = "number"
    WHOLE = "whole"
    SWITCH = "switch"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter.

    Attributes:
        name: Its name in a matrix.
        kind: What it looks like.
        default: Its published default, as plain data.
        help: What it means, from the component's documentation, with its range.
        choices: The words it may have.
        optional: Whether it may have no value.
    """

    name: str
    kind: FieldKind
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    optional: bool = False

    def read(self, entered: Any) -> Any:
        """A parameter's value from what was entered.

        Args:
            entered: A word, a number or a switch; empty for the default.

        Returns:
            Plain data of the parameter's type.

        Raises:
            ConfigError: If it is no value of its kind; its range is checked with the matrix.
        """
        if entered is None or entered == "":
            return None if self.optional else self.default
        if self.kind in (FieldKind.NUMBER, FieldKind.WHOLE):
            return self._number(entered)
        if self.kind is FieldKind.TEXT:
            return read_value(str(entered), option=self.name)
        return entered

    def _number(self, entered: Any) -> int | float:
        try:
            value = float(entered)
        except (TypeError, ValueError):
            raise ConfigError(f"{self.name}: should be a number, got {entered!r:.50}") from None
        if self.kind is FieldKind.NUMBER:
            return value
        if not value.is_integer():
            raise ConfigError(f"{self.name}: should be a whole number, got {value:g}")
        return int(value)


def fields_of(params: type[BaseParams]) -> tuple[Field, ...]:
    """The fields of a component's parameters, in their order.

    Args:
        params: The component's ``Params``.
    """
    meanings = attribute_help(params)
    return tuple(
        _field(name, info, meanings.get(name, "")) for name, info in params.model_fields.items()
    )


def preset_values(params: type[BaseParams], preset: str | None) -> dict[str, Any]:
    """Every parameter's value under a preset, or the defaults.

    Args:
        params: The component's ``Params``.
        preset: One of its presets, or None.
    """
    published: Mapping[str, Any] = params.presets.get(preset, {}) if preset else {}
    defaults = {field.name: field.default for field in fields_of(params)}
    return {**defaults, **{name: _plain(value) for name, value in published.items()}}


def attribute_help(documented: type[Any]) -> dict[str, str]:
    """The meaning of each attribute, from the ``Attributes:`` sections of a class and its bases."""
    found: dict[str, str] = {}
    for cls in reversed(documented.__mro__):
        found |= _attributes(cls.__doc__ or "")
    return found


def _attributes(docstring: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    for line in section.splitlines():
        if match := _ATTRIBUTE.match(line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2].strip())
        elif names and (match := _CONTINUED.match(line)):
            found |= {name: f"{found[name]} {match[1].strip()}" for name in names}
        else:
            names = []
    return found


def _field(name: str, info: Any, meaning: str) -> Field:
    annotation, optional = _without_none(info.annotation)
    kind, choices = _kind(annotation)
    default = None if info.is_required() else _plain(info.get_default(call_default_factory=True))
    bounds = [
        f"{sign} {getattr(mark, attribute):g}"
        for mark in info.metadata
        for cls, attribute, sign in _BOUNDS
        if isinstance(mark, cls)
    ]
    words = [(info.description or meaning).rstrip("."), ", ".join(bounds)]
    words += [f"default {'none' if default is None else default}"]
    words += ["empty for none"] if optional and kind is not FieldKind.CHOICE else []
    return Field(name, kind, default, "; ".join(w for w in words if w), choices, optional)


def _kind(annotation: Any) -> tuple[FieldKind, tuple[Any, ...]]:
    if get_origin(annotation) is Literal:
        return FieldKind.CHOICE, get_args(annotation)
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return FieldKind.CHOICE, tuple(member.value for member in annotation)
    kinds = {bool: FieldKind.SWITCH, int: FieldKind.WHOLE, float: FieldKind.NUMBER}
    return kinds.get(annotation, FieldKind.TEXT), ()


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    parts = [part for part in get_args(annotation) if part is not type(None)]
    optional = len(parts) < len(get_args(annotation))
    return (parts[0] if len(parts) == 1 else annotation), optional


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
