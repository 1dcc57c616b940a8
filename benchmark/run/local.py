"""Cells on this machine, some beside each other, each in a process group of its own."""

from __future__ import annotations

from collections.abc import Sequence

from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned
from hashbench.run.pool import Pool
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


def run_cells(
    planned: Sequence[Planned],
    store: Store,
    *,
    observer: Observer,
    timeout: float | None = None,
    means: Means | None = None,
) -> list[CellResults]:
    """Run cells, each at most once however many runs share the store.

    Args:
        planned: Cells with something missing.
        store: Where records go.
        observer: Hears of progress.
        timeout: Where no means are given: seconds after which a cell's process group is killed.
        means: Slots, limits, retries.

    Returns:
        What the store has of each cell afterwards, in the order given.

    Raises:
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C, after the running workers were ended and recorded.
    """
    pool = Pool(planned, store, observer=observer, means=means or Means(timeout=timeout))
    return pool.run()
