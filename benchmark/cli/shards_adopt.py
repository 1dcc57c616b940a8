"""``hashbench shards adopt``: the manifest of files of packed codes that are there already."""

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
    help="Number of labels.  [default: there are no labels]",
)
@click.option(
    "--order-seed",
    type=click.IntRange(min=0),
    help="The items stand in the order that ties=stable takes for this seed.",
)
def command(folder: Path, *, bits: int, classes: int | None, order_seed: int | None) -> None:
    """Write the manifest of the files of packed codes in FOLDER, with their checksums.

    A shard is codes-*.npy, uint8 (N, ceil(bits / 8)), with labels-*.npy beside it where --classes
    is given; or *.safetensors with the tensors codes and labels. Labels are class numbers (N,), or
    multi-hot rows packed by numpy.packbits. The files are read once and left as they are; the
    order of their names is that of the database.
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
