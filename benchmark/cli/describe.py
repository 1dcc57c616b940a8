"""``hashbench describe``: a component's card."""

from __future__ import annotations

import inspect
from typing import Any

import click

from hashbench.core.errors import ConfigError, did_you_mean


@click.command("describe")
@click.argument("name")
def command(name: str) -> None:
    """Describe NAME: paper, parameters with defaults and presets, labels it needs."""
    from hashbench.core.registry import Kind, registry
    from hashbench.datasets.protocol import protocol_names

    found = registry()
    kinds = [kind for kind in Kind if name in found.names(kind)]
    for kind in kinds:
        _describe(kind, name, found.load(kind, name), found.get(kind, name).origin)
    if name in protocol_names():
        _describe_protocol(name)
    elif not kinds:
        known = [n for kind in Kind for n in found.names(kind)] + protocol_names()
        raise ConfigError(f"describe: unknown name '{name}'. {did_you_mean(name, known)}")


def _describe(kind: str, name: str, component: Any, origin: str) -> None:
    click.echo(f"{name} ({kind}, from {origin})")
    info = getattr(component, "info", None)
    if info is not None:
        facts = {
            "title": info.title,
            "version": info.version,
            "paper": info.paper,
            "equation": info.equation,
            "citation": info.citation,
            "learns from": info.supervision,
            "label kinds": ", ".join(sorted(info.labels)),
            "reconstruction": "yes: no formula was published" if info.reconstruction else "",
        }
        for key, value in facts.items():
            if value:
                click.echo(f"  {key}: {value}")
    _describe_params(getattr(component, "Params", None))
    text = inspect.getdoc(component) or ""
    click.echo("\n" + "\n".join(f"  {line}".rstrip() for line in text.splitlines()))


def _describe_params(params: Any) -> None:
    if params is None or not params.model_fields:
        return
    click.echo("  parameters:")
    for key, field in params.model_fields.items():
        kind = getattr(field.annotation, "__name__", str(field.annotation))
        about = f"  {field.description}" if field.description else ""
        click.echo(f"    {key} = {field.default!r} ({kind}){about}")
    for preset, values in params.presets.items():
        given = ", ".join(f"{key}={value!r}" for key, value in values.items())
        click.echo(f"  preset {preset}: {given or 'the defaults'}")


def _describe_protocol(name: str) -> None:
    from hashbench.datasets.protocol import load_protocol

    spec = load_protocol(name)
    click.echo(f"{spec.name} (protocol of {spec.dataset}, definition {spec.sha256[:16]})")
    for role, size in spec.sizes.items():
        click.echo(f"  {role}: {size:,} images")
    click.echo(f"  training images in the database: {'yes' if spec.train_in_database else 'no'}")
    click.echo(f"  relevance: {spec.relevance}; customary cut-off: {spec.map_at or 'all'}")
    click.echo(f"  input: {spec.image_size} px, augmentation {spec.augmentation}")
    for role, sha in spec.checksums.items():
        click.echo(f"  sha256 of {role}: {sha}")
    click.echo("\n" + "\n".join(f"  {line}".rstrip() for line in spec.notes.splitlines()))
