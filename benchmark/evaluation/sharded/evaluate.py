"""Evaluating with a sharded database: the same values as for a database in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.evaluate import check_queries, score
from hashbench.evaluation.hamming import HammingRanking, check_same_bits
from hashbench.evaluation.names import Metric, Ties
from hashbench.evaluation.scoreboard import MetricValue
from hashbench.evaluation.sharded.counting import Progress, ShardedCounting, ShardedPairs
from hashbench.evaluation.sharded.folder import ShardFolder
from hashbench.evaluation.tool import Tool, choose

MOST_RANKS = 1 << 24
"""The most ranks of a query that are listed one by one, where the order inside ties is fixed."""


def evaluate_shards(
    query: Codes,
    folder: ShardFolder,
    query_labels: NDArray[np.uint8],
    metrics: Sequence[Metric],
    *,
    processes: int = 1,
    tool: Tool | None = None,
    progress: Progress | None = None,
) -> dict[str, MetricValue]:
    """Compute metrics exactly; equal, to the last bit, to `hashbench.evaluation.evaluate.evaluate`.

    The database is read once for some thousand queries, and once more for metrics with
    ``ties=stable``. These order equal distances by position in the shards, which have to be written
    in the order of a seed, named in the manifest.

    Args:
        query: Codes of the queries.
        folder: The database, with labels.
        query_labels: uint8 (Q, classes), multi-hot.
        metrics: The metrics; equal ones are computed once.
        processes: Processes that count at the same time; no value depends on it. With several, a
            script needs the usual ``if __name__ == "__main__":``.
        tool: Implementation that counts pairs; None takes the choice of
            `hashbench.evaluation.tool.choose`.
        progress: Called with blocks done and blocks in all, from 1 for each pass over the database.

    Returns:
        Values by canonical name, in the order of ``metrics``.

    Raises:
        DataError: If the two sides do not fit together, a file cannot be read, or a metric cannot
            be computed from these shards or leaves out every query.
        ConfigError: If the environment sets a tool that is not available.
    """
    wanted = tuple(dict.fromkeys(metrics))
    _check(query, folder, query_labels)
    for metric in wanted:
        _check_order(metric, folder)
    tool = tool or choose(len(query) * len(folder))
    levels = 1 + min(folder.most_labels(), int(query_labels.sum(axis=1, dtype=np.int64).max()))
    ranking = HammingRanking(
        ShardedCounting(
            ShardedPairs(folder, query, query_labels, tool), processes=processes, progress=progress
        ),
        queries=len(query),
        items=len(folder),
        bits=folder.bits,
        levels=levels,
    )
    return score(ranking, wanted, len(query))


def _check(query: Codes, folder: ShardFolder, labels: NDArray[np.uint8]) -> None:
    check_queries(query, labels)
    if folder.classes is None:
        raise DataError(f"{folder.root}: has no labels, and an evaluation needs them")
    check_same_bits(query.bits, folder.bits)
    if labels.shape[1] != folder.classes:
        raise DataError(
            f"labels: {labels.shape[1]} classes on the query side, {folder.classes} in "
            f"{folder.root}"
        )


def _check_order(metric: Metric, folder: ShardFolder) -> None:
    """Raise DataError if a metric cannot be computed from these shards."""
    if metric.ties is Ties.STABLE and folder.manifest.order_seed is None:
        raise DataError(
            f"metric '{metric.name}': the manifest of {folder.root} names no order seed; write "
            f"ties=expected, or make the shards with an order seed"
        )
    places = min(metric.cutoff or len(folder), len(folder))
    fixed = metric.ties is Ties.STABLE or (metric.graded and metric.ties in (Ties.BEST, Ties.WORST))
    if fixed and places > MOST_RANKS:
        raise DataError(
            f"metric '{metric.name}': needs {places:,} ranks of each query, and at most "
            f"{MOST_RANKS:,} are possible; give a cut-off, or write ties=expected"
        )
