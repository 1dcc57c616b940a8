"""Replace the baseline of the gate by a store."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hashbench.core.errors import ConfigError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


def replace_baseline(baseline: Path, store: Store, cells: Sequence[CellResults]) -> None:
    """Replace a baseline by a copy of a store's cells, all of them or none.

    Args:
        baseline: The baseline's folder; made if it does not exist.
        store: The store that is copied.
        cells: Its cells.

    Raises:
        ConfigError: If the store is the baseline, is empty, or has a cell that failed.
        StoreError: If the place is taken by something else or cannot be written to.
    """
    if baseline.resolve() == store.root.resolve():
        raise ConfigError(f"gate: {baseline} cannot be updated from itself; name a --store")
    Store.find(baseline)
    bad = [results for results in cells if not results.fitted or results.failures]
    if bad or not cells:
        why = f"{len(bad)} of its cells failed" if bad else "it is empty"
        raise ConfigError(f"gate: {store.root} cannot be a baseline: {why}; fix it and try again")
    made = baseline.parent / f"{TEMPORARY_PREFIX}new-{baseline.name}"
    old = baseline.parent / f"{TEMPORARY_PREFIX}old-{baseline.name}"
    try:
        _copy(store, made, cells)
        if baseline.exists():
            baseline.replace(old)
        made.replace(baseline)
    except OSError as error:
        if old.exists() and not baseline.exists():
            old.replace(baseline)
        raise StoreError(
            f"gate: cannot write {baseline}: {error.strerror or error}; it was not changed"
        ) from error
    finally:
        for left in (made, old):
            with suppress(OSError):
                shutil.rmtree(left)


def _copy(store: Store, folder: Path, cells: Sequence[CellResults]) -> None:
    copy = Store.create(folder)
    for results in cells:
        # Hidden files are checkpoints, logs, leases and left-overs of killed processes.
        shutil.copytree(
            store.root / results.fit_id,
            copy.root / results.fit_id,
            ignore=shutil.ignore_patterns(".*"),
        )
