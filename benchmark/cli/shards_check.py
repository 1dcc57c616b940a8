"""``hashbench shards check``: compare shards with the checksums in their manifest."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted
from hashbench.cli.phases import phases
from hashbench.core.errors import DataError


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Read all files of FOLDER and compare their checksums with the manifest."""
    from hashbench.evaluation.sharded.folder import ShardFolder

    opened = ShardFolder.open(folder)
    with phases() as phase:
        problems = opened.changed_files(progress=phase("reading files"))
    if problems:
        raise DataError("\n".join(problems))
    click.echo(
        f"{folder}: {counted(len(opened), 'code')} of {opened.bits} bits in "
        f"{counted(len(opened.files()), 'file')} as the manifest {opened.manifest.sha256[:12]} says"
    )
