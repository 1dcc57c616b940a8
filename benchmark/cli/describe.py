"""``hashbench describe``: print what is known about a component, a protocol or a recipe."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import click

from hashbench.core.errors import ConfigError, did_you_mean


@click.command("describe")
@click.argument("name")
def command(name: str) -> None:
    """Describe NAME: a component with its paper and parameters, a protocol, or a recipe."""
    from hashbench.core.registry import Kind, registry
    from hashbench.datasets.protocols.protocol import protocol_names
    from hashbench.matrix.recipes import recipes

    found = registry()
    entries = [entry for kind in Kind if (entry := found.find(kind, name))]
    cards = [
        _component(entry.load(), f"{name} ({entry.kind}, {entry.origin})") for entry in entries
    ]
    cards += [_protocol(name)] if name in protocol_names() else []
    cards += [_recipe(name, recipes()[name])] if name in recipes() else []
    if not cards:
        components = [n for kind in Kind for n in found.names(kind)]
        known = sorted({*components, *protocol_names(), *recipes()})
        raise ConfigError(f"describe: unknown name '{name}'. {did_you_mean(name, known)}")
    click.echo("\n\n".join("\n".join(lines) for lines in cards))


def _component(component: Any, heading: str) -> list[str]:
    lines = [heading, *_facts(_card(component)), *_facts(_needs(component))]
    lines += _parameters(getattr(component, "Params", None))
    if _is_dataset(component):
        lines += _facts(component().describe())
    return [*lines, "", *_indented(inspect.getdoc(component) or "")]


def _card(component: Any) -> Mapping[str, Any]:
    info = getattr(component, "info", None)
    if info is None:
        return {}
    return {
        "title": info.title,
        "version": info.version,
        "paper": info.paper,
        "equation": info.equation,
        "citation": info.citation,
        "learns from": info.supervision,
        "label kinds": sorted(info.labels),
        "losses": getattr(component, "losses", None),
        "reconstruction": "yes: no formula was published" if info.reconstruction else "",
    }


def _needs(component: Any) -> Mapping[str, Any]:
    needs = getattr(component, "needs", None)
    if needs is None:
        return {}
    views = f"{needs.views} of an image, changed by '{needs.augmentation}' unless another is named"
    return {
        "last layer": needs.last_layer,
        "augmented views": views if needs.views > 1 else "",
        "before training": "reads features of all training images" if needs.prepass else "",
    }


def _facts(facts: Mapping[str, Any]) -> list[str]:
    shown = {
        key: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for key, value in facts.items()
    }
    return [f"  {key}: {value}" for key, value in shown.items() if value not in ("", None)]


def _is_dataset(component: Any) -> bool:
    from hashbench.datasets.interface import Dataset

    return inspect.isclass(component) and issubclass(component, Dataset)


def _parameters(params: Any) -> list[str]:
    if params is None or not params.model_fields:
        return []
    lines = ["  parameters:"]
    for key, field in params.model_fields.items():
        about = f"  {field.description}" if field.description else ""
        default = " (required)" if field.is_required() else f" = {_plain(field.default)!r}"
        lines.append(f"    {key}{default} ({_type_name(field.annotation)}){about}")
    for preset, values in params.presets.items():
        given = ", ".join(f"{key}={value!r}" for key, value in values.items())
        lines.append(f"  preset {preset}: {given or 'the defaults'}")
    return lines


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(str(word) for word in get_args(annotation))
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    return annotation.__name__ if inspect.isclass(annotation) else str(annotation)


def _protocol(name: str) -> list[str]:
    from hashbench.datasets.protocols.protocol import load_protocol

    spec = load_protocol(name)
    facts = {
        **{role: f"{size:,} images" for role, size in spec.sizes.items()},
        "labels": f"{len(spec.columns)} of the dataset's: {', '.join(spec.columns)}"
        if spec.columns
        else "",
        "training images in the database": "yes" if spec.train_in_database else "no",
        "relevance": spec.relevance,
        "customary cut-off": spec.map_at or "all",
        "input": f"{spec.image_size} px, augmentation {spec.augmentation}",
        **{f"sha256 of {role}": sha for role, sha in spec.checksums.items()},
    }
    heading = f"{spec.name} (protocol of {spec.dataset}, definition {spec.sha256[:16]})"
    return [heading, *_facts(facts), "", *_indented(spec.notes)]


def _recipe(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{name} (recipe)", *_facts(values)]


def _indented(text: str) -> Iterable[str]:
    return (f"  {line}".rstrip() for line in text.splitlines())
