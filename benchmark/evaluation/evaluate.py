"""Evaluating a retrieval: from codes or embeddings and labels to metric values by name."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.evaluation.cosine import CosineRanking
from hashbench.evaluation.hamming import rank_codes
from hashbench.evaluation.names import Metric, Ties
from hashbench.evaluation.ranking import Ranking
from hashbench.evaluation.relevance import Relevance, check_labels
from hashbench.evaluation.scoreboard import Counted, MetricValue, Scoreboard
from hashbench.evaluation.stable_order import stable_order
from hashbench.evaluation.tool import Tool, choose


def evaluate(
    query: Codes | Embeddings,
    database: Codes | Embeddings,
    query_labels: NDArray[np.uint8],
    database_labels: NDArray[np.uint8],
    metrics: Sequence[Metric],
    *,
    order_seed: int,
    threads: int = 1,
    tool: Tool | None = None,
    device: str = "cpu",
) -> dict[str, MetricValue]:
    """Compute metrics exactly, in float64, in one pass over the database per query.

    No array of size Q x N is made, and no input is modified.

    Example:
        >>> from hashbench.evaluation.names import parse_metric
        >>> codes = Codes.from_outputs(np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]))
        >>> labels = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.uint8)
        >>> first = Codes(codes.packed[:1], 2)
        >>> found = evaluate(first, codes, labels[:1], labels, [parse_metric("map")], order_seed=0)
        >>> round(found["map@all/div=hits/ties=expected/empty=zero"].value, 4)
        0.8333

    Args:
        query: Codes or embeddings of the queries.
        database: Codes or embeddings of the database.
        query_labels: uint8 (Q, classes), multi-hot.
        database_labels: uint8 (N, classes), multi-hot.
        metrics: The metrics; equal ones are computed once.
        order_seed: The protocol's seed for the order of ``ties=stable``, at least 0.
        threads: Most threads to use, for codes and for the matrix products of embeddings; no value
            of codes depends on them.
        tool: Implementation that counts pairs of codes on the CPU; values are the same to the last
            bit. None takes the choice of `hashbench.evaluation.tool.choose`.
        device: Device on which pairs of codes are counted; values are the same on ``cuda``.

    Returns:
        Values by canonical name, in the order of ``metrics``.

    Raises:
        DataError: If a side is empty, the two sides or their labels do not fit together, or a
            metric needs codes and got embeddings, or leaves out every query.
        ConfigError: If the environment sets a tool that is not available.
    """
    _check(query, database, query_labels, database_labels)
    wanted = tuple(dict.fromkeys(metrics))
    _check_defined(wanted, on_codes=isinstance(query, Codes))
    if any(metric.ties is Ties.STABLE for metric in wanted):
        order = stable_order(len(database), order_seed)
        database, database_labels = _reordered(database, order), database_labels[order]
    tool = tool or choose(len(query) * len(database))
    relevance = Relevance(query_labels, database_labels)
    ranking = _ranking(query, database, relevance, tool, device)
    return score(ranking, wanted, len(query), threads=threads)


def score(
    ranking: Ranking, metrics: Sequence[Metric], queries: int, *, threads: int = 1
) -> dict[str, MetricValue]:
    """Compute metrics of a ranking; see `evaluate`."""
    board = Scoreboard(ranking, metrics, queries)
    _fill(board, ranking, queries, threads=threads)
    return {metric.name: board.value(metric) for metric in metrics}


def _fill(board: Scoreboard, ranking: Ranking, queries: int, *, threads: int) -> None:
    """Score all queries; blocks are the same for any number of threads."""
    blocks = [
        (start, min(start + ranking.block, queries)) for start in range(0, queries, ranking.block)
    ]
    if not ranking.concurrent:  # only the library that multiplies matrices uses threads
        with threadpool_limits(threads, user_api="blas"):
            _fill_in_turn(board, blocks)
    elif min(threads, len(blocks)) == 1:
        _fill_in_turn(board, blocks)
    else:
        _fill_at_once(board, blocks, min(threads, len(blocks)))


def _fill_in_turn(board: Scoreboard, blocks: Sequence[tuple[int, int]]) -> None:
    for start, stop in blocks:
        board.add(start, stop)


def _fill_at_once(board: Scoreboard, blocks: Sequence[tuple[int, int]], threads: int) -> None:
    """Let every thread count, and score all counted blocks while no other thread scores."""
    left = deque(blocks)
    counted: deque[Counted] = deque()
    scoring = Lock()

    def work() -> None:
        while True:
            try:
                block = left.popleft()
            except IndexError:
                return
            counted.append(board.count(*block))
            if scoring.acquire(blocking=False):
                try:
                    _score_all(board, counted)
                finally:
                    scoring.release()

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()
    _score_all(board, counted)  # blocks counted after the last scoring ended


def _score_all(board: Scoreboard, counted: deque[Counted]) -> None:
    while counted:
        board.score(counted.popleft())


def check_queries(query: Codes | Embeddings, labels: NDArray[np.uint8]) -> None:
    """Raise DataError if there is no query, or the labels do not fit the queries."""
    if len(query) == 0:
        raise DataError("evaluation: zero queries; there is nothing to evaluate")
    check_labels(labels, items=len(query), side="query")


def _check(
    query: Codes | Embeddings,
    database: Codes | Embeddings,
    query_labels: NDArray[np.uint8],
    database_labels: NDArray[np.uint8],
) -> None:
    check_queries(query, query_labels)
    if len(database) == 0:
        raise DataError("evaluation: the database is empty")
    check_labels(database_labels, items=len(database), side="database")


def _check_defined(metrics: Sequence[Metric], *, on_codes: bool) -> None:
    undefined = [metric.name for metric in metrics if metric.needs_codes and not on_codes]
    if undefined:
        raise DataError(
            f"metric '{undefined[0]}': embeddings have no Hamming radius; "
            f"leave it out where bits are 'float'"
        )


def _reordered(items: Codes | Embeddings, order: NDArray[np.int64]) -> Codes | Embeddings:
    if isinstance(items, Codes):
        return Codes(items.packed[order], items.bits)
    return Embeddings(items.values[order])


def _ranking(
    query: Codes | Embeddings,
    database: Codes | Embeddings,
    relevance: Relevance,
    tool: Tool,
    device: str,
) -> Ranking:
    if isinstance(query, Codes) and isinstance(database, Codes):
        return rank_codes(query, database, relevance, tool=tool, device=device)
    if isinstance(query, Embeddings) and isinstance(database, Embeddings):
        return CosineRanking(query, database, relevance)
    raise DataError(
        f"evaluation: cannot compare {type(query).__name__} of the queries "
        f"with {type(database).__name__} of the database"
    )
