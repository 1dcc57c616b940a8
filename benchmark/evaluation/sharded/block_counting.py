"""What a process finds out about one block of a database; each of these can be pickled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.evaluation.compiled_counting import CompiledCounting
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.numpy_counting import NumpyCounting
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.sharded.folder import Block, ShardFolder
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.evaluation.tool import Tool

RELEVANCE = 2  # levels: an item is relevant or not


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Queries and where to look.

    Attributes:
        folder: The database.
        query: Codes of the queries.
        labels: Their labels, uint8 (Q, classes), multi-hot.
        tool: What counts pairs.
    """

    folder: ShardFolder
    query: Codes
    labels: NDArray[np.uint8]
    tool: Tool

    def part(self, start: int, stop: int) -> Asked:
        """The same of the queries ``start`` to ``stop - 1``."""
        query = Codes(self.query.packed[start:stop], self.query.bits)
        return Asked(self.folder, query, self.labels[start:stop], self.tool)

    def counting(self, block: Block) -> Counting:
        """What counts the pairs of the queries and a block."""
        relevance = Relevance(self.labels, self.folder.labels(block))
        kind = CompiledCounting if self.tool is Tool.NUMBA else NumpyCounting
        return kind(self.query, self.folder.codes(block), relevance)


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """Items of every gain at every distance.

    Attributes:
        asked: The queries.
        levels: See `Counting.histograms`.
    """

    asked: Asked
    levels: int

    def __call__(self, block: Block) -> NDArray[np.int64]:
        """Of a block, int64 (Q, levels, bits + 1)."""
        return self.asked.counting(block).histograms(0, len(self.asked.query), self.levels)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What stands in a block near enough to be ranked, by distance and then by position.

    Attributes:
        before: Items of the block at smaller distances, int64 (Q, bits + 2), all of them at the
            end.
        found: For each query int64: the ranks, within the block and from 1, of its relevant items;
            or the gains by rank.
    """

    before: NDArray[np.int64]
    found: list[NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class HitRanks:
    """Ranks of the relevant items up to a distance.

    Attributes:
        asked: The queries.
        last: That distance for each query, int64 (Q,).
    """

    asked: Asked
    last: NDArray[np.int64]

    def __call__(self, block: Block) -> Ranked:
        """Of a block."""
        counting, queries = self.asked.counting(block), len(self.last)
        groups = _groups(counting, queries)
        items = groups.items_up_to()
        near = items[np.arange(queries), self.last + 1]
        ranks = counting.hit_ranks(
            0,
            queries,
            items_before=items,
            hits_before=groups.hits_up_to(),
            limit=max(1, int(near.max())),
        )
        return Ranked(items, [row[row <= most] for row, most in zip(ranks, near, strict=True)])


@dataclass(frozen=True, slots=True, eq=False)
class RankedGains:
    """Gains by rank of the items up to a distance.

    Attributes:
        asked: The queries.
        last: That distance for each query, int64 (Q,).
        levels: Gains are below it.
    """

    asked: Asked
    last: NDArray[np.int64]
    levels: int

    def __call__(self, block: Block) -> Ranked:
        """Of a block."""
        counting, queries = self.asked.counting(block), len(self.last)
        items = _groups(counting, queries).items_up_to()
        near = items[np.arange(queries), self.last + 1]
        gains = [
            counting.ranked_gains(query, items[query], levels=self.levels, limit=max(1, int(most)))
            for query, most in enumerate(near)
        ]
        return Ranked(items, [row[:most] for row, most in zip(gains, near, strict=True)])


def _groups(counting: Counting, queries: int) -> TieGroups:
    counts = counting.histograms(0, queries, RELEVANCE)
    return TieGroups.from_counts(counts.sum(axis=1), counts[:, 1])
