"""Counts of the distances between the stored query codes and database codes of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.record import FitRecord
from hashbench.evaluation.hamming import rank_codes
from hashbench.evaluation.names import Ties
from hashbench.evaluation.precision_recall import ball_precision, ball_recall, hits_in_cut
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.evaluation.tool import choose
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import Store

QUERIES_AT_MOST: Final = 500
DATABASE_FOR_BALANCE: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """The counts that the figures of one fit's codes need.

    Attributes:
        queries: Number of queries counted, evenly spaced among all.
        all_queries: Number of all queries.
        similar: Pairs with a shared label at each distance, (bits + 1,).
        dissimilar: The other pairs.
        precision: Mean precision at each of ``cutoffs``, ties by expectation.
        cutoffs: Numbers of neighbours, in rising order.
        curve: Mean recall and precision at every Hamming radius, (2, bits + 1); an empty ball has
            precision 0.
        balance: |mean| of every bit, bits being -1 or +1, in falling order, (bits,).
        database_labels: uint8 (N, classes), multi-hot.
    """

    queries: int
    all_queries: int
    similar: NDArray[np.float64]
    dissimilar: NDArray[np.float64]
    precision: NDArray[np.float64]
    cutoffs: NDArray[np.int64]
    curve: NDArray[np.float64]
    balance: NDArray[np.float64]
    database_labels: NDArray[np.uint8]


def count_pairs(store: Store, fit: FitRecord) -> PairCounts | None:
    """Count the distances of a fit's codes; return None if the store has none or they are floats.

    Raises:
        DamagedStoreError: If the artifact does not match its checksum.
    """
    artifact = fit.artifacts.get("codes")
    if artifact is None or not (store.root / fit.fit_id / artifact.file).exists():
        return None
    split = load_codes(store, fit)
    if not isinstance(split.query, Codes) or not isinstance(split.database, Codes):
        return None
    return _counted(split, split.query, split.database)


def _counted(split: EncodedSplit, query: Codes, database: Codes) -> PairCounts:
    chosen = np.unique(np.linspace(0, len(query) - 1, QUERIES_AT_MOST).astype(np.int64))
    few = Codes(query.packed[chosen], query.bits)
    groups = _groups(few, database, split.query_labels[chosen], split.database_labels)
    cutoffs = np.unique(np.geomspace(1, len(database), 24).astype(np.int64))
    precision = [
        (hits_in_cut(groups, int(k), ties=Ties.EXPECTED) / min(int(k), len(database))).mean()
        for k in cutoffs
    ]
    return PairCounts(
        len(few),
        len(query),
        groups.hits.sum(axis=0),
        (groups.sizes - groups.hits).sum(axis=0),
        np.array(precision),
        cutoffs,
        np.stack([ball_recall(groups).mean(axis=0), ball_precision(groups).mean(axis=0)]),
        _balance(database),
        split.database_labels,
    )


def _groups(
    query: Codes,
    database: Codes,
    query_labels: NDArray[np.uint8],
    database_labels: NDArray[np.uint8],
) -> TieGroups:
    relevance = Relevance(query_labels, database_labels)
    tool = choose(len(query) * len(database))
    ranking = rank_codes(query, database, relevance, tool=tool)
    starts = range(0, len(query), ranking.block)
    parts = [ranking.groups(start, min(start + ranking.block, len(query))) for start in starts]
    sizes = np.concatenate([part.sizes for part in parts])
    return TieGroups.from_counts(sizes, np.concatenate([part.hits for part in parts]))


def _balance(database: Codes) -> NDArray[np.float64]:
    step = max(1, len(database) // DATABASE_FOR_BALANCE)
    signs = Codes(database.packed[::step], database.bits).signs()
    return np.sort(np.abs(signs.mean(axis=0, dtype=np.float64)))[::-1]
