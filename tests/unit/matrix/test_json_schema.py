"""The JSON Schema for editors."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hashbench.matrix.schema import MatrixSpec


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found = MatrixSpec.model_json_schema()
    return dict(json.loads(json.dumps(found)))


def _types(schema: dict[str, Any]) -> set[str]:
    return {part.get("type", part.get("$ref", "")) for part in schema["anyOf"]}


def test_every_block_is_there_and_no_other_is_allowed(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == set(MatrixSpec.model_fields)
    assert schema["required"] == ["version", "name", "datasets", "methods", "bits"]
    assert schema["additionalProperties"] is False


def test_short_forms_are_allowed(schema: dict[str, Any]) -> None:
    assert _types(schema["properties"]["bits"]) == {"integer", "array"}
    items = schema["properties"]["datasets"]["anyOf"][1]["items"]
    assert _types(items) == {"string", "#/$defs/DatasetSpec"}
    grid = schema["$defs"]["GridSpec"]["properties"]["losses"]["anyOf"][1]["items"]
    assert _types(grid) == {"string", "#/$defs/LossSpec"}


def test_the_pattern_of_durations_is_what_is_read(schema: dict[str, Any]) -> None:
    (pattern,) = re.findall(r'"pattern": "(.*?)"', json.dumps(schema["$defs"]["ExecuteSpec"]))
    compiled = re.compile(json.loads(f'"{pattern}"'))
    assert all(compiled.search(text) for text in ("90s", "1.5h", "10 m"))
    assert not any(compiled.search(text) for text in ("s", "5 days", "-1s"))


def test_a_cut_off_is_a_number_or_all(schema: dict[str, Any]) -> None:
    cutoffs = schema["$defs"]["EvaluateSpec"]["properties"]["cutoffs"]["anyOf"][1]["items"]
    assert cutoffs == {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}
