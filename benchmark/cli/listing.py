"""``hashbench list``: the names of components, protocols and recipes."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch

import click

from hashbench.core.errors import ConfigError, NothingSelectedError, did_you_mean


@click.command("list")
@click.argument("kind", required=False)
@click.argument("pattern", default="*")
def command(kind: str | None, pattern: str) -> None:
    """List the names of one KIND, or of all kinds, with a summary each.

    KIND is losses, loss_groups, backbones, methods, datasets, engines, reporters, protocols or
    recipes. PATTERN selects names by wildcards, e.g. hashbench list backbones 'ae_*'.
    """
    groups = _groups()
    if kind is not None and kind not in groups:
        known = did_you_mean(kind, list(groups))
        raise ConfigError(f"list: unknown kind '{kind}'. {known}")
    shown = 0
    for name in [kind] if kind else groups:
        rows = [(key, text) for key, text in groups[name] if fnmatch(key, pattern)]
        shown += len(rows)
        if rows and kind is None:
            click.echo(f"{name}:")
        width = max((len(key) for key, _ in rows), default=0)
        for key, text in rows:
            click.echo(f"  {key:<{width}}  {text}".rstrip())
    if not shown:
        raise NothingSelectedError(f"list: no name in {kind or 'any kind'} matches '{pattern}'")


def _groups() -> dict[str, list[tuple[str, str]]]:
    from hashbench.core.registry import Kind, registry
    from hashbench.datasets.protocols.protocol import load_protocol, protocol_names
    from hashbench.matrix.recipes import recipes

    found = registry()
    groups = {
        kind.value: [(name, found.get(kind, name).summary()) for name in found.names(kind)]
        for kind in Kind
    }
    groups["protocols"] = [(name, _sizes(load_protocol(name).sizes)) for name in protocol_names()]
    groups["recipes"] = [(name, str(recipe["source"])) for name, recipe in recipes().items()]
    return groups


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size:,} {role}" for role, size in sizes.items())
