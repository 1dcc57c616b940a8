"""``hashbench data``: bring in your own images, and prepare published datasets."""

from __future__ import annotations

import click

from hashbench.cli.lazy import LazyGroup

_COMMANDS = {
    "import": "data_import",
    "prepare": "data_prepare",
    "lists": "data_lists",
}


@click.group(cls=LazyGroup, modules=_COMMANDS)
def command() -> None:
    """Bring in your own images, prepare published datasets, and write their lists."""
