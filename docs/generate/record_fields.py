"""The reference of a record's fields, made from the pydantic classes that read it."""

from __future__ import annotations

import tomllib
from typing import Any, Final, cast

from docstring import attributes, summary
from markdown_table import code, table
from matrix_keys import MEANINGS
from pydantic.json_schema import models_json_schema
from schema_text import type_text

from hashbench.core import cell, environment, job, record

KINDS: Final = (
    record.FitRecord,
    record.EvaluationRecord,
    record.LatencyRecord,
    record.ReproductionRecord,
)
_MODULES: Final = (record, cell, environment, job)


def page() -> str:
    """Return a section for each kind of record, then one for each part of a record."""
    whole = models_json_schema([(kind, "validation") for kind in KINDS])[1]["$defs"]
    kinds = [kind.__name__ for kind in KINDS]
    parts = [name for name, each in whole.items() if name not in kinds]
    return "\n\n".join(_section(name, whole[name]) for name in (*kinds, *parts))


def _section(name: str, block: dict[str, Any]) -> str:
    cls = _class(name)
    heading = f"## {name}\n\n{summary(cls)}"
    if "enum" in block:
        return f"{heading}\n\nOne of {type_text(block)}."
    meanings = _meanings(cls)
    missing = [key for key in block["properties"] if key not in meanings]
    if missing:
        raise ValueError(f"{MEANINGS.name}: give the meaning of {name}.{missing}")
    rows = [
        (code(key), type_text(schema), meanings[key]) for key, schema in block["properties"].items()
    ]
    return f"{heading}\n\n{table(('key', 'value', 'meaning'), rows)}"


def _meanings(cls: type) -> dict[str, str]:
    written = tomllib.loads(MEANINGS.read_text())["record"]
    found = attributes(cls)
    for base in reversed(cls.__mro__):
        found |= written.get(base.__name__, {})
    return found


def _class(name: str) -> type:
    (found,) = {vars(module)[name] for module in _MODULES if name in vars(module)}
    return cast(type, found)
