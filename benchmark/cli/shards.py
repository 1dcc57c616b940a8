"""``hashbench shards``: the group of commands for databases that do not fit in memory."""

from __future__ import annotations

import click

from hashbench.cli.lazy import LazyCommand, LazyGroup

_SECTIONS = {
    "Commands": {
        "adopt": LazyCommand("shards_adopt", "Describe existing files of codes in a manifest."),
        "make": LazyCommand("shards_make", "Write the codes and labels of a record as shards."),
        "synthesise": LazyCommand(
            "shards_synthesise", "Write random codes of any size, for timing."
        ),
        "check": LazyCommand("shards_check", "Compare the files with the manifest's checksums."),
        "evaluate": LazyCommand("shards_evaluate", "Compute metrics of queries in a database."),
        "search": LazyCommand("shards_search", "Find the nearest codes of each query."),
    }
}


@click.group(cls=LazyGroup, sections=_SECTIONS)
def command() -> None:
    """Evaluate and search codes that do not fit in memory.

    A shard is a file of packed codes; a folder of shards has a manifest with their checksums.
    """
