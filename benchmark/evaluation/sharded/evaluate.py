"""Evaluate a retrieval from a database on disk: the very values of one in memory."""

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
"""Ranks of a query that are written out one by one where an order inside ties is fixed."""


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
    ``ties=stable``. These take equal distances in the order of the shards, which has to be that of
    a seed, as the manifest says.

    Args:
        query: Codes of the queries.
        folder: The database, with labels.
        query_labels: uint8 (Q, classes), multi-hot.
        metrics: What to compute; equal metrics are computed once.
        processes: How many count at a time; no value depends on it. With several, a script needs
            the usual ``if __name__ == "__main__":``.
        tool: What counts pairs; None for what `hashbench.evaluation.tool.choose` says.
        progress: Called with blocks done and in all, anew for each reading of the database.

    Returns:
        Values by canonical name, in the order of ``metrics``.

    Raises:
        DataError: If the two sides do not fit together, a file cannot be read, or a metric cannot
            be computed from these shards or leaves out every query.
        ConfigError: If the environment asks for a tool that is not there.
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
    """Raise DataError if shards cannot give what a metric needs."""
    if metric.ties is Ties.STABLE and folder.manifest.order_seed is None:
        raise DataError(
            f"metric '{metric.name}': the items of {folder.root} stand in the order of no seed; "
            f"write ties=expected, or make the shards with an order seed"
        )
    places = min(metric.cutoff or len(folder), len(folder))
    fixed = metric.ties is Ties.STABLE or (metric.graded and metric.ties in (Ties.BEST, Ties.WORST))
    if fixed and places > MOST_RANKS:
        raise DataError(
            f"metric '{metric.name}': writes out {places:,} ranks a query, at most {MOST_RANKS:,}; "
            f"give a cut-off, or write ties=expected"
        )
