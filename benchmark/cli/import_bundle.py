"""``hashbench import``: add the records of a bundle to a store."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted, plugin_option, store_option

_GIB = 2**30


@click.command("import")
@click.argument("bundle", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--max-gib",
    type=click.FloatRange(min=0, min_open=True),
    default=16.0,
    show_default=True,
    help="Size limit of the bundle's files, in GiB.",
)
@plugin_option
def command(bundle: Path, store: Path, plugins: tuple[Path, ...], *, max_gib: float) -> None:
    """Add the records of BUNDLE to a store, all of them or none.

    The bundle is first checked as by hashbench verify. It is refused if it contradicts the store:
    the same file with another content, other codes from a run that had to give the same codes, or
    another value of a metric of the same codes.
    """
    from hashbench.audit.import_bundle import import_bundle
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry

    load_plugins(plugins, registry())
    made = import_bundle(bundle, store, max_bytes=int(max_gib * _GIB))
    for note in made.notes:
        click.echo(f"note: {note}")
    click.echo(
        f"{store}: {counted(made.added, 'file')} added, {made.known:,} there already; "
        f"hashbench report --store {store} prints the tables"
    )
