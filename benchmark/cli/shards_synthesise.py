"""``hashbench shards synthesise``: write synthetic codes, to try out a database size."""

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
        raise click.BadParameter(f"{value!r} is not a whole number of at least 1, such as 1e6")
    return int(number)


@click.command("synthesise")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--codes", callback=_number, required=True, help="Number of codes of the database, e.g. 1e8."
)
@click.option(
    "--bits", type=click.IntRange(1, 1024), default=64, show_default=True, help="Code length."
)
@click.option(
    "--classes",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Number of classes.",
)
@click.option(
    "--queries", callback=_number, default="100", show_default=True, help="Number of queries."
)
@click.option(
    "--shard",
    "items_per_shard",
    callback=_number,
    default="67108864",
    show_default=True,
    metavar="CODES",
    help="Codes in each file.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
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

    They show what a database size costs on this machine before there are real codes. Every bit of
    an item differs from the centre of its class with probability 1/4.
    """
    from hashbench.evaluation.sharded.synthetic import Synthetic, synthesise

    made = Synthetic(codes, bits=bits, classes=classes, queries=queries, seed=seed)
    with phases() as phase:
        synthesise(made, folder, items_per_shard=items_per_shard, progress=phase("writing codes"))
    click.echo(
        f"{folder}: {counted(codes, 'code')} of {bits} bits in {classes} classes, "
        f"{made.bytes / 1e9:.3f} GB, and {queries:,} queries"
    )
