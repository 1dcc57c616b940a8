"""The cost of an evaluation and of a search as the database grows.

``python tools/sharded_cost_curve.py FOLDER [--largest 1e9] [--queries 100] [--processes 2]``
makes databases of 10^6, 10^7, ... synthetic codes of 64 bits below FOLDER, one after another, and
removes each. Files are dropped from the page cache before they are read, where the system allows
it. *resident* is the largest resident memory of this process and its children, over all rows so
far; so it grows in a row that needs more than the rows before.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hashbench.core.codes import Codes
from hashbench.core.errors import ExitCode, HashbenchError
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.sharded.evaluate import evaluate_shards
from hashbench.evaluation.sharded.folder import ShardFolder, read_queries
from hashbench.evaluation.sharded.search import search_shards
from hashbench.evaluation.sharded.synthetic import DATABASE, QUERIES, Synthetic, synthesise

SMALLEST = 1_000_000
METRICS = ("map@all", "map@1000", "precision@100", "recall@100", "precision@r2", "pr@radii")
K = 10
SEARCHED = 10  # queries of the search: it takes about three times as long for each
_HEADINGS = (
    ("codes", "GB", "write s", "evaluate s", "cpu s", "ns/pair", "search s", "ms/query"),
    ("resident MB", "mAP@all"),
)


def rows(folder: Path, *, largest: int, queries: int, processes: int) -> Iterator[tuple[str, ...]]:
    """Measure one database after another.

    Args:
        folder: Folder in which databases are made.
        largest: Codes of the last database.
        queries: Queries of an evaluation; the first ten of them are searched for.
        processes: Processes that count at the same time.

    Yields:
        The cells of a row of the table.

    Raises:
        StoreError: If there is no room for the next database.
    """
    items = SMALLEST
    while items <= largest:
        place = folder / f"codes-{items}"
        try:
            yield _row(place, Synthetic(items, queries=queries), processes=processes)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        items *= 10


def _row(place: Path, made: Synthetic, *, processes: int) -> tuple[str, ...]:
    began = time.perf_counter()
    synthesise(made, place)
    written = time.perf_counter() - began
    database, query = ShardFolder.open(place / DATABASE), read_queries(place / QUERIES)
    metrics = [parse_metric(name) for name in METRICS]
    assert query.labels is not None  # noqa: S101 - synthetic queries have labels
    _forget(database)
    began, spent = time.perf_counter(), _processor_seconds()
    values = evaluate_shards(query.codes, database, query.labels, metrics, processes=processes)
    evaluated, spent = time.perf_counter() - began, _processor_seconds() - spent
    _forget(database)
    few = Codes(query.codes.packed[:SEARCHED], query.codes.bits)
    began = time.perf_counter()
    search_shards(few, database, K, processes=processes)
    searched = time.perf_counter() - began
    return (
        f"{made.items:,}",
        f"{sum(entry.bytes for entry in database.files()) / 1e9:.2f}",
        f"{written:.1f}",
        f"{evaluated:.1f}",
        f"{spent:.1f}",
        f"{evaluated * 1e9 / made.items / made.queries:.2f}",
        f"{searched:.1f}",
        f"{searched * 1e3 / len(few):.0f}",
        f"{_resident() / 1e6:.0f}",
        f"{values[metrics[0].name].value:.4f}",
    )


def _forget(folder: ShardFolder) -> None:
    """Drop the files from the page cache, so that the next reader reads from the disk."""
    for entry in folder.files():
        descriptor = os.open(folder.root / entry.file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _usage() -> list[resource.struct_rusage]:
    """Return the resource usage of this process and of its ended children."""
    return [resource.getrusage(kind) for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _processor_seconds() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usage())


def _resident() -> int:
    """Return the most bytes that one process had in memory."""
    return 1024 * max(usage.ru_maxrss for usage in _usage())


def main() -> int:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="python tools/sharded_cost_curve.py")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--largest", type=float, default=1e7, help="codes of the last row")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    headings = [name for line in _HEADINGS for name in line]
    widths = [max(13, len(name)) if name == "codes" else max(8, len(name)) for name in headings]
    print(
        f"{given.queries} queries, {given.processes} processes, codes of 64 bits, 10 classes, load "
        f"average {os.getloadavg()[0]:.1f}"
    )
    print("  ".join(f"{name:>{width}}" for name, width in zip(headings, widths, strict=True)))
    try:
        for row in rows(
            given.folder,
            largest=int(given.largest),
            queries=given.queries,
            processes=given.processes,
        ):
            cells = zip(row, widths, strict=True)
            print("  ".join(f"{cell:>{width}}" for cell, width in cells), flush=True)
    except HashbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
