"""Tables of the registered components, made from each component's card."""

from __future__ import annotations

from typing import Any

from markdown_table import code, table

from hashbench.core.info import LabelKind
from hashbench.core.registry import Kind, registry
from hashbench.matrix.recipes import recipes as read_recipes


def losses() -> str:
    """Return the table of losses."""
    head = ("loss", "title", "learns from", "data", "parameters with defaults", "presets")
    return table(head, [_loss(name, cls) for name, cls in _all(Kind.LOSS)])


def _loss(name: str, cls: Any) -> tuple[str, ...]:
    kinds = "any" if cls.info.labels == frozenset(LabelKind) else ", ".join(sorted(cls.info.labels))
    return (code(name), _title(cls), str(cls.info.supervision), kinds, _params(cls), _presets(cls))


def backbones() -> str:
    """Return the table of backbones."""
    rows = [(code(name), _title(cls), _params(cls)) for name, cls in _all(Kind.BACKBONE)]
    return table(("backbone", "title", "parameters with defaults"), rows)


def shallow_methods() -> str:
    """Return the table of shallow methods."""
    rows = [
        (code(name), _title(cls), str(cls.info.supervision), _params(cls))
        for name, cls in _all(Kind.METHOD)
    ]
    return table(("method", "title", "learns from", "parameters with defaults"), rows)


def engines() -> str:
    """Return the table of search engines."""
    rows = [(code(name), _title(cls), _params(cls)) for name, cls in _all(Kind.ENGINE)]
    return table(("engine", "title", "parameters with defaults"), rows)


def recipes() -> str:
    """Return the table of recipes."""
    keys = ("optimiser", "lr", "backbone_lr", "weight_decay", "epochs", "batch_size")
    rows = [
        (code(name), values["source"], *(values.get(key, "") for key in keys))
        for name, values in read_recipes().items()
    ]
    return table(("recipe", "source", *keys), rows)


def _all(kind: Kind) -> list[tuple[str, Any]]:
    found = registry()
    ours = [name for name in found.names(kind) if found.get(kind, name).origin[:10] == "hashbench "]
    return [(name, found.load(kind, name)) for name in ours]


def _title(cls: Any) -> str:
    info = cls.info
    paper = f" ({info.paper})" if info.paper else ""
    ours = "; **our reconstruction: no formula was published**" if info.reconstruction else ""
    return f"{info.title}{paper}{ours}"


def _params(cls: Any) -> str:
    fields = getattr(cls, "Params", None)
    if fields is None:
        return ""
    shown = [
        f"{name} (required)" if field.is_required() else f"{name} = {_value(field.get_default())}"
        for name, field in fields.model_fields.items()
    ]
    return "<br>".join(code(each) for each in shown)


def _value(default: Any) -> str:
    return str(getattr(default, "value", default))


def _presets(cls: Any) -> str:
    return ", ".join(code(name) for name in cls.Params.presets)
