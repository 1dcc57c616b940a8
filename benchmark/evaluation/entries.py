"""Evaluating for a record: metric values, code statistics and arrays in its form."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.record import CodeFacts, MetricEntry
from hashbench.evaluation.code_statistics import code_statistics
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.scoreboard import MetricValue

_ORDER_DIGITS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """The parts of an evaluation record, and the arrays that it names.

    Attributes:
        metrics: Values by full name.
        codes: Statistics by ``query`` and ``database``; None for embeddings.
        arrays: float64; the values of all queries, (Q,), under a metric's name, and the parts of a
            curve, (bits + 1,), under ``NAME#PART``.
        seconds: Time to compute the metrics.
    """

    metrics: dict[str, MetricEntry]
    codes: dict[str, CodeFacts] | None
    arrays: dict[str, NDArray[np.float64]]
    seconds: float


def order_seed(protocol_sha256: str) -> int:
    """Derive the seed of the permutation of ``ties=stable`` from the protocol."""
    return int(protocol_sha256[:_ORDER_DIGITS], 16)


def evaluate_entries(
    query: Codes | Embeddings,
    database: Codes | Embeddings,
    query_labels: NDArray[np.uint8],
    database_labels: NDArray[np.uint8],
    names: Sequence[str],
    *,
    protocol_sha256: str,
    threads: int = 1,
    device: str = "cpu",
) -> Evaluated:
    """Compute metrics by name; see `evaluate` for the other arguments and the errors.

    Args:
        query: Codes or embeddings of the queries.
        database: Codes or embeddings of the database.
        query_labels: uint8 (Q, classes), multi-hot.
        database_labels: uint8 (N, classes), multi-hot.
        names: Full or short names of metrics.
        protocol_sha256: Digest of the protocol's definition, which fixes ``ties=stable``.
        threads: Most threads to use.
        device: Device on which pairs of codes are counted.
    """
    began = time.perf_counter()
    values = evaluate(
        query,
        database,
        query_labels,
        database_labels,
        [parse_metric(name) for name in names],
        order_seed=order_seed(protocol_sha256),
        threads=threads,
        device=device,
    )
    seconds = time.perf_counter() - began
    metrics = {name: _entry(name, found, len(database)) for name, found in values.items()}
    arrays = {key: array for name, found in values.items() for key, array in _arrays(name, found)}
    return Evaluated(metrics, code_facts(query, database), arrays, seconds)


def _entry(name: str, found: MetricValue, size: int) -> MetricEntry:
    cutoff = parse_metric(name).cutoff
    return MetricEntry(
        value=found.value,
        queries=found.queries,
        without_relevant=found.without_relevant,
        cutoff_exceeds=size if cutoff is not None and cutoff > size else None,
    )


def _arrays(name: str, found: MetricValue) -> list[tuple[str, NDArray[np.float64]]]:
    if found.curve is None:
        return [(name, np.ascontiguousarray(found.per_query))]
    return [(f"{name}#{part}", np.ascontiguousarray(c)) for part, c in found.curve.items()]


def code_facts(
    query: Codes | Embeddings, database: Codes | Embeddings
) -> dict[str, CodeFacts] | None:
    """Compute statistics of both sides' codes; None for embeddings."""
    sides = {"query": query, "database": database}
    codes = {name: side for name, side in sides.items() if isinstance(side, Codes)}
    found = {name: CodeFacts(**asdict(code_statistics(side))) for name, side in codes.items()}
    return found or None
