"""``hashbench shards adopt``: write the manifest of existing files of packed codes."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted
from hashbench.cli.phases import phases


@click.command("adopt")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--bits", type=click.IntRange(min=1), required=True, help="Code length.")
@click.option(
    "--classes",
    type=click.IntRange(min=1),
    help="Number of classes.  [default: the codes have no labels]",
)
@click.option(
    "--order-seed",
    type=click.IntRange(min=0),
    help="Seed of the order of ties=stable, if the items are stored in that order.",
)
def command(folder: Path, *, bits: int, classes: int | None, order_seed: int | None) -> None:
    """Write the manifest of the files of packed codes in FOLDER, with their checksums.

    A shard is codes-*.npy, uint8 (N, ceil(bits / 8)), with labels-*.npy beside it where --classes
    is given; or *.safetensors with the tensors codes and labels. Labels are class numbers (N,), or
    multi-hot rows packed by numpy.packbits. The files are read once and not changed; the order of
    their names is the order of the database.
    """
    from hashbench.evaluation.sharded.adopt import adopt

    with phases() as phase:
        manifest = adopt(
            folder,
            bits=bits,
            classes=classes,
            order_seed=order_seed,
            progress=phase("reading files"),
        )
    items = sum(shard.items for shard in manifest.shards)
    click.echo(
        f"{folder}: {counted(items, 'code')} of {bits} bits in "
        f"{counted(len(manifest.shards), 'shard')}, manifest {manifest.sha256[:12]}"
    )
