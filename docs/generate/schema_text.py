"""A JSON Schema's types in words."""

from __future__ import annotations

from typing import Any

from markdown_table import code


def type_text(schema: dict[str, Any]) -> str:
    """Return the type of a value, e.g. ``list of string``; blocks link to their section."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema or "oneOf" in schema:
        parts = [type_text(each) for each in schema.get("anyOf") or schema["oneOf"]]
        return " or ".join(dict.fromkeys(parts))
    if len(schema.get("allOf", ())) == 1:
        return type_text(schema["allOf"][0])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(word) for word in schema["enum"])
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {type_text(items)}"
    if kind == "object":
        values = schema.get("additionalProperties")
        named = isinstance(values, dict) and values
        return f"mapping of {type_text(values)}" if named else "mapping"
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (
            *(("minimum", "≥"), ("exclusiveMinimum", ">")),
            *(("maximum", "≤"), ("exclusiveMaximum", "<")),
        )
        if key in schema and abs(schema[key]) < _SHOWN
    ]
    return " ".join([str(kind or "any"), *bounds])


_SHOWN = 2**62  # larger bounds only keep a number in 64 bits; the page omits them
