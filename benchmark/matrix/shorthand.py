"""Short forms of values in a matrix, also described in the JSON Schema for editors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Shorthand:
    """Marks a value that may be written shorter.

    Attributes:
        spell_out: Returns the long form of a short one, and anything else unchanged.
        short_schema: The JSON Schema of the short form, given that of the long one.
    """

    spell_out: Callable[[Any], Any]
    short_schema: Callable[[JsonSchemaValue], JsonSchemaValue]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.spell_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        long = handler(schema)
        return {"anyOf": [self.short_schema(long), long]}


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"should be seconds, or a number with s, m or h, got {value!r}")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


OR_NAME: Final = Shorthand(_named, lambda _: {"type": "string"})
"""``resnet18`` for ``{name: resnet18}``."""

OR_SINGLE: Final = Shorthand(_listed, lambda long: dict(long.get("items", {})))
"""``16`` for ``[16]``."""

OR_WITH_UNIT: Final = Shorthand(
    _seconds, lambda _: {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
)
"""``10m`` for 600 seconds."""
