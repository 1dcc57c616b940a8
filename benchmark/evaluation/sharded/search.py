"""Exact search in a sharded database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hashbench.core.codes import Codes
from hashbench.evaluation.sharded.folder import Block, ShardFolder
from hashbench.evaluation.sharded.processes import over_blocks
from hashbench.search.engine import Neighbours, check_query
from hashbench.search.engines.exact import ExactScan

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Nearest:
    """Finds the nearest codes in one block."""

    folder: ShardFolder
    query: Codes
    k: int

    def __call__(self, block: Block) -> Neighbours:
        scan = ExactScan()
        scan.build(self.folder.codes(block))
        found = scan.search(self.query, self.k)
        return Neighbours(found.distances, found.ids + block.first)


def search_shards(
    query: Codes,
    folder: ShardFolder,
    k: int,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Neighbours:
    """Find the k nearest of each query by scanning every code; equal distances come by id.

    Args:
        query: Codes of the queries.
        folder: The database.
        k: Neighbours a query; all N of the database where k is above N.
        processes: Processes that scan at the same time. With several, a script needs the usual
            ``if __name__ == "__main__":``.
        progress: Called with blocks done and blocks in all.

    Returns:
        The neighbours; ids are positions in the whole database.

    Raises:
        DataError: If there is no query, the code lengths differ, or a file cannot be read.
        ConfigError: If k is below 1.
    """
    check_query(query, k, bits=folder.bits)
    blocks = list(folder.blocks())
    best = Neighbours(
        np.empty((len(query), 0), dtype=np.int32), np.empty((len(query), 0), dtype=np.int64)
    )
    answers = over_blocks(_Nearest(folder, query, k), blocks, processes=processes)
    for done, found in enumerate(answers, 1):
        best = _nearer(best, found, k)
        if progress:
            progress(done, len(blocks))
    return best


def _nearer(before: Neighbours, found: Neighbours, k: int) -> Neighbours:
    """Merge the k nearest of both; those of ``before`` have the smaller ids."""
    distances = np.concatenate([before.distances, found.distances], axis=1)
    ids = np.concatenate([before.ids, found.ids], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Neighbours(
        np.take_along_axis(distances, order, axis=1), np.take_along_axis(ids, order, axis=1)
    )
