"""Evaluate a retrieval from a database on disk: the very values of one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.hamming import CountedRanking, check_same_bits
from hashbench.evaluation.names import Metric, Ties
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.relevance import check_labels
from hashbench.evaluation.scoreboard import MetricValue, Scoreboard
from hashbench.evaluation.sharded.block_counting import Asked
from hashbench.evaluation.sharded.counting import ShardedCounting
from hashbench.evaluation.sharded.folder import ShardFolder
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.evaluation.tool import Tool, choose

MOST_RANKS = 1 << 24
"""Ranks of a query that are written out one by one where an order inside ties is fixed."""

Progress = Callable[[int, int], None]


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
    counting = ShardedCounting(
        Asked(folder, query, query_labels, tool),
        levels=levels,
        processes=processes,
        progress=progress,
    )
    ranking = _ShardedRanking(
        counting, queries=len(query), items=len(folder), bits=folder.bits, levels=levels
    )
    return _scored(ranking, wanted, len(query))


class _ShardedRanking(CountedRanking):
    """Asks for the ranks of a whole block of queries: it is the counting that bounds the memory."""

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        yield from self._counting.hit_ranks(
            start,
            stop,
            items_before=groups.items_up_to(),
            hits_before=groups.hits_up_to(),
            limit=limit,
        )


def _scored(ranking: Ranking, metrics: Sequence[Metric], queries: int) -> dict[str, MetricValue]:
    board = Scoreboard(ranking, metrics, queries)
    for start in range(0, queries, ranking.block):
        board.add(start, min(start + ranking.block, queries))
    return {metric.name: board.value(metric) for metric in metrics}


def _check(query: Codes, folder: ShardFolder, labels: NDArray[np.uint8]) -> None:
    if len(query) == 0:
        raise DataError("evaluation: zero queries; there is nothing to evaluate")
    if folder.classes is None:
        raise DataError(f"{folder.root}: has no labels, and an evaluation needs them")
    check_same_bits(query.bits, folder.bits)
    check_labels(labels, items=len(query), side="query")
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
