"""``hashbench shards``: databases of codes that do not fit in memory."""

from __future__ import annotations

import click

from hashbench.cli.lazy import LazyGroup

_COMMANDS = {
    "adopt": "shards_adopt",
    "make": "shards_make",
    "synthesise": "shards_synthesise",
    "check": "shards_check",
    "evaluate": "shards_evaluate",
    "search": "shards_search",
}


@click.group(cls=LazyGroup, modules=_COMMANDS)
def command() -> None:
    """Evaluate and search codes that do not fit in memory: folders of files of packed codes."""
