"""What ``hashbench doctor --backend`` says of a cluster."""

from __future__ import annotations

from pathlib import Path

import click


def show_backend(name: str, store: Path, *, address: str | None = None) -> list[str]:
    """Print what is there of a backend.

    Args:
        name: Its name.
        store: The store that its cells would share.
        address: Where it is, if it has an address and the user gave one.

    Returns:
        What is not as it should be, with the remedy, a line each.
    """
    from hashbench.run.backends import BACKENDS

    found = BACKENDS[name].examine(store, address=address)
    for line in found.facts:
        click.echo(f"{name}: {line}")
    return list(found.warnings)
