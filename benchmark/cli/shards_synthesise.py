"""``hashbench shards synthesise``: codes to try a size with."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted
from hashbench.cli.phases import phases


def _number(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Read ``1000000`` or ``1e6``."""
    del context, parameter
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 1 <= number < float(1 << 53) or number != int(number):
        raise click.BadParameter(f"{value!r} is no whole number of at least 1, such as 1e6")
    return int(number)


@click.command("synthesise")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--codes", callback=_number, required=True, help="Of the database, e.g. 1e8.")
@click.option(
    "--bits", type=click.IntRange(1, 1024), default=64, show_default=True, help="Code length."
)
@click.option("--classes", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--queries", callback=_number, default="100", show_default=True)
@click.option(
    "--shard",
    "items_per_shard",
    callback=_number,
    default="67108864",
    show_default=True,
    metavar="CODES",
    help="Codes of a file.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def command(
    folder: Path,
    *,
    codes: int,
    bits: int,
    classes: int,
    queries: int,
    items_per_shard: int,
    seed: int,
) -> None:
    """Write random codes around one centre a class as FOLDER/database and FOLDER/queries.

    To see what a size costs on this machine before real codes are there. Every bit of an item
    differs from its class's centre with probability 1/4.
    """
    from hashbench.evaluation.sharded.synthetic import Synthetic, synthesise

    made = Synthetic(codes, bits=bits, classes=classes, queries=queries, seed=seed)
    with phases() as phase:
        synthesise(made, folder, items_per_shard=items_per_shard, progress=phase("writing codes"))
    click.echo(
        f"{folder}: {counted(codes, 'code')} of {bits} bits in {classes} classes, "
        f"{made.bytes / 1e9:.3f} GB, and {queries:,} queries"
    )
