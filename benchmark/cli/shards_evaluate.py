"""``hashbench shards evaluate``: compute metrics of a sharded database."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted
from hashbench.cli.phases import phases
from hashbench.core.errors import DataError

if TYPE_CHECKING:
    from hashbench.evaluation.scoreboard import MetricValue

DEFAULT_METRICS = (
    "map@all",
    "map@1000",
    "precision@100",
    "recall@100",
    "precision@r2",
    "recall@r2",
)


@click.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("queries", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    "names",
    multiple=True,
    default=DEFAULT_METRICS,
    metavar="NAME",
    help="A metric, e.g. map@1000 or precision@r2; may be given several times.  "
    f"[default: {', '.join(DEFAULT_METRICS)}]",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Processes that count at the same time; no value depends on it.  [default: one a core]",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the values to a JSON file, too."
)
def command(
    folder: Path,
    queries: Path,
    *,
    names: tuple[str, ...],
    processes: int | None,
    output: Path | None,
) -> None:
    """Compute metrics of QUERIES in the database FOLDER, both folders of shards with labels.

    Values equal those of an evaluation in memory to the last bit. The database is read a block at a
    time, so it may be larger than the memory.
    """
    from hashbench.evaluation.names import expand_metrics
    from hashbench.evaluation.sharded.evaluate import evaluate_shards
    from hashbench.evaluation.sharded.folder import ShardFolder, read_queries

    metrics = expand_metrics(names, ["all"])
    database, query = ShardFolder.open(folder), read_queries(queries)
    if query.labels is None:
        raise DataError(f"{queries}: has no labels, and an evaluation needs them")
    with phases() as phase:
        values = evaluate_shards(
            query.codes,
            database,
            query.labels,
            metrics,
            processes=processes or len(os.sched_getaffinity(0)),
            progress=phase("counting blocks"),
        )
    if output:
        _write(output, database.manifest.sha256, values)
    sides = f"{len(query.codes):,} queries in {counted(len(database), 'code')}"
    click.echo(f"{sides} of {database.bits} bits, manifest {database.manifest.sha256[:12]}")
    width = max(map(len, values))
    for name, found in values.items():
        click.echo(f"  {name:<{width}}  {found.value:.6f}")
    empty = next(iter(values.values())).without_relevant
    if empty:
        click.echo(f"queries without a relevant item: {empty:,}")


def _write(output: Path, manifest: str, values: Mapping[str, MetricValue]) -> None:
    from hashbench.core.files import write_atomically

    metrics = {
        name: {
            "value": found.value,
            "queries": found.queries,
            "without_relevant": found.without_relevant,
            **{part: list(line) for part, line in (found.curve or {}).items()},
        }
        for name, found in values.items()
    }
    document = {"manifest_sha256": manifest, "metrics": metrics}
    write_atomically(output, json.dumps(document, indent=1).encode() + b"\n")
