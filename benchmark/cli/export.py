"""``hashbench export``: write records and codes into one file."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import (
    counted,
    parse_selections,
    plugin_option,
    select_option,
    without_option,
)


@click.command("export")
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="BUNDLE.zip",
    help="The bundle to write.",
)
@select_option
@without_option
@plugin_option
def command(
    store: Path,
    output: Path,
    selections: tuple[str, ...],
    without: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Write the records of STORE into one bundle, a zip file.

    The bundle holds the records and arrays, every cell with all its settings, the versions of the
    libraries, checksums, and citations of the methods and data. Equal records give equal bytes.
    """
    from hashbench.audit.export import export_bundle
    from hashbench.cli.loading import chooser
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry
    from hashbench.store.store import Store

    wanted = chooser(parse_selections(selections))
    load_plugins(plugins, registry())
    made = export_bundle(
        Store.open(store), output, registry(), wanted=wanted, without=frozenset(without)
    )
    left_out = f", {counted(made.absent, 'artifact')} left out" if made.absent else ""
    click.echo(
        f"wrote {output}: {counted(made.cells, 'cell')}, {counted(made.records, 'record')}"
        f"{left_out}, {made.bytes:,} bytes; check it with hashbench verify {output}"
    )
