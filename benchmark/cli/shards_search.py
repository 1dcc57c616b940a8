"""``hashbench shards search``: find the nearest codes in a sharded database."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted
from hashbench.cli.phases import phases
from hashbench.core.errors import DataError

if TYPE_CHECKING:
    from hashbench.core.codes import Codes
    from hashbench.search.engine import Neighbours


@click.command("search")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("queries", type=click.Path(path_type=Path))
@click.option(
    "-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="Neighbours a query."
)
@click.option("--first", type=click.IntRange(min=1), help="Search for the first queries only.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Processes that scan at the same time.  [default: one a core]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write ids and distances, (Q, k), to an .npz file instead of printing them.",
)
def command(
    folder: Path,
    queries: Path,
    *,
    k: int,
    first: int | None,
    processes: int | None,
    output: Path | None,
) -> None:
    """Find the K nearest codes of each of QUERIES in the database FOLDER, by an exact scan.

    QUERIES is a folder of shards, or a file written by hashbench encode. An id is a position in the
    database, counted through its shards; equal distances are ordered by id.
    """
    from hashbench.core.codes import Codes
    from hashbench.evaluation.sharded.folder import ShardFolder
    from hashbench.evaluation.sharded.search import search_shards

    database, query = ShardFolder.open(folder), _codes(queries)
    query = Codes(query.packed[:first], query.bits)
    with phases() as phase:
        found = search_shards(
            query,
            database,
            k,
            processes=processes or len(os.sched_getaffinity(0)),
            progress=phase("scanning blocks"),
        )
    if output:
        _write(output, found)
        click.echo(f"wrote {output}: ids and distances {found.ids.shape}")
        return
    click.echo(f"the {found.ids.shape[1]} nearest of {counted(len(database), 'code')}")
    for number, (ids, distances) in enumerate(zip(found.ids, found.distances, strict=True)):
        pairs = "  ".join(f"{at}:{far}" for at, far in zip(ids, distances, strict=True))
        click.echo(f"query {number}, id:distance  {pairs}")


def _codes(queries: Path) -> Codes:
    from hashbench.core.codes import Codes
    from hashbench.evaluation.sharded.folder import read_queries
    from hashbench.worker.encoded_files import EncodedFiles

    if queries.is_dir():
        return read_queries(queries).codes
    encoded = EncodedFiles.read(queries).encoded
    if not isinstance(encoded, Codes):
        raise DataError(f"{queries}: holds embeddings; shards are searched by binary codes")
    return encoded


def _write(output: Path, found: Neighbours) -> None:
    import numpy as np

    from hashbench.core.files import write_atomically

    buffer = io.BytesIO()
    np.savez_compressed(buffer, ids=found.ids, distances=found.distances)
    write_atomically(output, buffer.getvalue())
