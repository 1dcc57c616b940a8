"""``hashbench data``: import your own images, and prepare published datasets."""

from __future__ import annotations

import click

from hashbench.cli.lazy import LazyCommand, LazyGroup

_SECTIONS = {
    "Commands": {
        "import": LazyCommand("data_import", "Turn a folder or zip file of images into a dataset."),
        "prepare": LazyCommand("data_prepare", "Decode and check a dataset's official files."),
        "lists": LazyCommand("data_lists", "Write the image lists of a protocol as text files."),
    }
}


@click.group(cls=LazyGroup, sections=_SECTIONS)
def command() -> None:
    """Import your own images, prepare published datasets, and write image lists."""
