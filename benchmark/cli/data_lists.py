"""``hashbench data lists``: write a protocol as the list files that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import data_root_option, plugin_option

if TYPE_CHECKING:
    from hashbench.datasets.interface import Dataset


@click.command("lists")
@click.argument("protocol")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@data_root_option
@plugin_option
def command(protocol: str, folder: Path, data_root: Path | None, plugins: Sequence[Path]) -> None:
    """Write the lists of PROTOCOL into DIR, in the form that published hashing code reads.

    DIR gets train.txt, test.txt (the queries) and database.txt with lines 'path 0 1 0', and
    classes.txt with the name of each column. Images that have no files are named
    DATASET/POSITION. `hashbench data import --protocol lists` reads such a folder.
    """
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import Kind, registry
    from hashbench.datasets import roots
    from hashbench.datasets.loading import load_data
    from hashbench.datasets.protocols.protocol import load_protocol
    from hashbench.datasets.protocols.published_lists import write_lists

    load_plugins(plugins, registry())
    dataset = load_protocol(protocol).dataset
    loaded = load_data(dataset, protocol, root=data_root)
    component: Dataset = registry().load(Kind.DATASET, dataset)()
    written = write_lists(loaded, component.names(roots.data_root(data_root)), folder)
    for file, lines in written.items():
        click.echo(f"{folder / file}: {lines:,} images")
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
