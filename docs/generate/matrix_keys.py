"""The reference of the matrix file, made from the pydantic classes that read it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from docstring import attributes, summary
from markdown_table import code, table
from pydantic import BaseModel
from schema_text import type_text

from hashbench.core.cell import Cell, TrainSettings
from hashbench.matrix import cluster_schema, data_schema, rules_schema, schema, training_schema

# In the order of a matrix; `page` checks that no block of the schema is missing.
BLOCKS: Final[tuple[type[BaseModel], ...]] = (
    schema.MatrixSpec,
    data_schema.DatasetSpec,
    data_schema.SubsetSpec,
    schema.MethodsSpec,
    schema.GridSpec,
    schema.PairSpec,
    schema.BackboneSpec,
    schema.LossSpec,
    schema.MethodSpec,
    training_schema.TrainSpec,
    training_schema.ScheduleSpec,
    training_schema.ValidationSpec,
    schema.EvaluateSpec,
    schema.LatencySpec,
    schema.ExecuteSpec,
    schema.RetriesSpec,
    cluster_schema.SlurmSpec,
    cluster_schema.RaySpec,
    rules_schema.ExcludeSpec,
    rules_schema.OverrideSpec,
    cluster_schema.ExecuteOverrideSpec,
    rules_schema.WhereSpec,
)
MEANINGS: Final = Path(__file__).with_name("meanings.toml")


def page() -> str:
    """Return a section for each block: its keys with types, defaults and meanings."""
    whole = schema.MatrixSpec.model_json_schema()
    found = {"MatrixSpec", *(name for name, each in whole["$defs"].items() if "enum" not in each)}
    listed = {block.__name__ for block in BLOCKS}
    if found != listed:
        raise ValueError(f"BLOCKS differs from the schema of a matrix: {found ^ listed}")
    blocks = {**whole["$defs"], "MatrixSpec": whole}
    return "\n\n".join(_section(block, blocks) for block in BLOCKS)


def _section(block: type[BaseModel], blocks: dict[str, Any]) -> str:
    keys = blocks[block.__name__]["properties"]
    meanings = _meanings(block)
    rows = [
        (code(key), _inlined(keys[key], blocks), _default(block, key), meanings[key])
        for key in block.model_fields
    ]
    text = table(("key", "value", "default", "meaning"), rows)
    return f"## {block.__name__}\n\n{summary(block)}\n\n{text}"


def _inlined(key: dict[str, Any], blocks: dict[str, Any]) -> str:
    """Return the type of a key, with the words of enumerations instead of their name."""
    words = {name: type_text(each) for name, each in blocks.items() if "enum" in each}
    text = type_text(key).replace(" or null", "")
    for name, spelt in words.items():
        text = text.replace(f"[{name}](#{name.lower()})", spelt)
    return text


def _default(block: type[BaseModel], key: str) -> str:
    field = block.model_fields[key]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    return code(json.dumps(value))


def _meanings(block: type[BaseModel]) -> dict[str, str]:
    written = tomllib.loads(MEANINGS.read_text())["matrix"]
    found = attributes(Cell) | attributes(TrainSettings) if block.__name__ == "TrainSpec" else {}
    found = found | attributes(block)
    for base in reversed(block.__mro__):
        found |= written.get(base.__name__, {})
    missing = [key for key in block.model_fields if key not in found]
    if missing:
        raise ValueError(f"{MEANINGS.name}: give the meaning of {block.__name__}.{missing}")
    return found
