"""``hashbench shards make``: write the codes of a record as shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted, store_option
from hashbench.core.errors import ConfigError

if TYPE_CHECKING:
    from hashbench.evaluation.sharded.writer import ShardWriter
    from hashbench.store.codes import EncodedSplit


@click.command("make")
@click.argument("record")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--shard",
    "items_per_shard",
    type=click.IntRange(min=1),
    metavar="CODES",
    help="Codes in each file.  [default: 67,108,864]",
)
@store_option
def command(record: str, folder: Path, *, items_per_shard: int | None, store: Path) -> None:
    """Write the codes and labels of RECORD as the shards FOLDER/database and FOLDER/queries.

    RECORD is a fit id, a record id, or the start of one. The database is written in the order that
    the protocol fixes for ties=stable, so every metric has the same value as in the record.
    """
    from hashbench.core.codes import Codes
    from hashbench.evaluation.entries import order_seed
    from hashbench.evaluation.sharded.synthetic import DATABASE, QUERIES
    from hashbench.evaluation.sharded.writer import ITEMS_PER_SHARD, ShardWriter
    from hashbench.store.codes import load_codes
    from hashbench.store.lookup import find_fit
    from hashbench.store.store import Store

    opened = Store.open(store)
    fit = find_fit(opened, record)
    encoded = load_codes(opened, fit)
    if not isinstance(encoded.query, Codes):
        raise ConfigError(f"record {record}: {fit.cell} has embeddings; shards hold binary codes")
    bits, classes = encoded.query.bits, encoded.query_labels.shape[1]
    seed = order_seed(fit.cell.data.protocol_sha256)
    with (
        ShardWriter(folder / QUERIES, bits=bits, classes=classes) as queries,
        ShardWriter(
            folder / DATABASE,
            bits=bits,
            classes=classes,
            order_seed=seed,
            items_per_shard=items_per_shard or ITEMS_PER_SHARD,
        ) as database,
    ):
        _write(encoded, queries, database, seed=seed)
    click.echo(
        f"{folder}: {counted(len(encoded.database), 'code')} of {bits} bits in {DATABASE}, "
        f"{len(encoded.query):,} in {QUERIES}, of {fit.cell}"
    )


def _write(
    encoded: EncodedSplit, queries: ShardWriter, database: ShardWriter, *, seed: int
) -> None:
    from hashbench.core.codes import Codes
    from hashbench.evaluation.stable_order import stable_order

    assert isinstance(encoded.query, Codes)  # noqa: S101 - the caller has checked
    assert isinstance(encoded.database, Codes)  # noqa: S101 - both sides are of one kind
    order = stable_order(len(encoded.database), seed)
    queries.add(encoded.query, encoded.query_labels)
    ordered = Codes(encoded.database.packed[order], encoded.database.bits)
    database.add(ordered, encoded.database_labels[order])
